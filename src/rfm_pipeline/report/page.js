"use strict";
(() => {
  const root = document.documentElement;
  const view = document.getElementById("view");
  const choice = document.getElementById("segment");
  const reset = document.getElementById("reset");
  const theme = document.getElementById("theme");
  const status = document.getElementById("shown");
  const whole = document.createElement("template");
  whole.content.append(...Array.from(view.childNodes, (node) => node.cloneNode(true)));

  // Exact values are decimal strings: Intl formats strings without rounding them to a double.
  const makeFormats = () => {
    const { locale, currency } = root.dataset;
    if (!locale) return {};
    const money = currency ? { style: "currency", currency } : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
    const short = { ...(currency ? { style: "currency", currency } : {}), notation: "compact", maximumFractionDigits: 1, minimumFractionDigits: 0 };
    const numberFormat = (options) => new Intl.NumberFormat(locale, options);
    try {
      return {
        money: numberFormat(money),
        whole: numberFormat({ ...money, minimumFractionDigits: 0, maximumFractionDigits: 0 }),
        short: numberFormat(short),
        count: numberFormat({ maximumFractionDigits: 0 }),
        percent: numberFormat({ style: "percent" }),
        decimal: numberFormat({ minimumFractionDigits: 1, maximumFractionDigits: 1 }),
        share: numberFormat({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }),
      };
    } catch {
      return {};
    }
  };
  const formats = Object.entries(makeFormats());
  const formatNumbers = (part) => {
    for (const [kind, format] of formats) {
      for (const node of part.querySelectorAll(`[data-${kind}]`)) {
        node.textContent = format.format(node.dataset[kind]);
      }
    }
  };

  // Text of tooltips and labels has numbers in English form.
  const localised = (text) => {
    if (!root.dataset.locale || !formats.length) return text;
    return text.replace(/\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+/g, (number) => {
      const digits = number.split(".")[1]?.length ?? 0;
      const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      return new Intl.NumberFormat(root.dataset.locale, options).format(number.replaceAll(",", ""));
    });
  };

  const make = (name, properties, ...children) => {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  };
  const button = (text, className, action) => {
    const node = make("button", { type: "button", className, textContent: text });
    node.addEventListener("click", action);
    return node;
  };

  // Exact value of a cell that is one number, or else its text.
  const NUMBERS = "[data-money],[data-count],[data-share],[data-whole]";
  const valueOf = (cell) => {
    const numbers = cell.matches(NUMBERS) ? [cell] : [...cell.querySelectorAll(NUMBERS)];
    if (numbers.length === 1 && numbers[0].textContent === cell.textContent) {
      const { money, whole: amount, count, share } = numbers[0].dataset;
      return money ?? amount ?? count ?? share;
    }
    const isStacked = cell.querySelector("br") !== null;
    return isStacked ? [...cell.childNodes].map((node) => node.textContent).filter(Boolean).join(" ") : cell.textContent;
  };
  const isNumber = (text) => /^-?\d+(\.\d+)?$/.test(text);

  const sortTable = (table, column, head) => {
    const isDescending = head.getAttribute("aria-sort") !== "descending" && (head.className === "n" || head.ariaSort);
    const rows = [...table.tBodies[0].rows];
    const compare = (one, other) => {
      const [a, b] = [valueOf(one.cells[column]), valueOf(other.cells[column])];
      return isNumber(a) && isNumber(b) ? Number(a) - Number(b) : a.localeCompare(b);
    };
    rows.sort((one, other) => (isDescending ? -compare(one, other) : compare(one, other)));
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
    table.tBodies[0].append(...rows);
  };

  // A spreadsheet would run text that begins with one of these characters as a formula.
  const csvField = (text) => {
    const safe = /^[=+\-@\t\r]/.test(text) && !isNumber(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const csvOf = (table) => {
    const lines = [...table.rows].filter((row) => !row.hidden).map((row) => [...row.cells].map(valueOf));
    return `\ufeff${lines.map((line) => line.map((text) => csvField(text.trim())).join(",")).join("\r\n")}\r\n`;
  };
  const download = (table) => {
    const url = URL.createObjectURL(new Blob([csvOf(table)], { type: "text/csv" }));
    const name = table.caption.textContent.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
    make("a", { href: url, download: `${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };

  const copyCommand = async (event) => {
    const copied = event.currentTarget;
    const code = copied.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      copied.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      copied.textContent = "Selected: press Ctrl+C";
    }
  };

  // Adds what works with this script only.
  const enhance = (part) => {
    for (const title of part.querySelectorAll("svg title")) {
      title.parentNode.dataset.t = localised(title.textContent);
      title.remove();
    }
    for (const chart of part.querySelectorAll("svg.chart")) {
      chart.setAttribute("aria-label", localised(chart.getAttribute("aria-label")));
      if (chart.querySelector("[data-t]")) chart.tabIndex = 0;
    }
    for (const table of part.querySelectorAll(".scroll > table")) {
      const heads = [...table.tHead.rows[0].cells];
      const names = heads.map((head) => head.textContent);
      for (const row of table.tBodies[0].rows) {
        for (const [column, cell] of [...row.cells].entries()) cell.dataset.h = names[column];
      }
      if (table.tBodies[0].rows.length > 1 && !table.classList.contains("fixed")) {
        for (const [column, head] of heads.entries()) {
          head.replaceChildren(button(names[column], "sort", () => sortTable(table, column, head)));
        }
      }
      const save = button("Download CSV", "tool", () => download(table));
      save.setAttribute("aria-label", `Download CSV: ${table.caption.textContent}`);
      table.parentNode.after(save);
    }
    for (const code of part.querySelectorAll(".command")) code.after(button("Copy command", "tool", copyCommand));
    const search = part.querySelector(".search");
    if (search) {
      search.hidden = false;
      search.querySelector("input").addEventListener("input", findCustomer);
    }
  };

  const findCustomer = (event) => {
    const wanted = event.currentTarget.value.trim().toLowerCase();
    let found = 0;
    for (const card of view.querySelectorAll(".segment")) {
      let inCard = 0;
      for (const row of card.querySelectorAll(".named tbody tr")) {
        row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
        inCard += row.hidden ? 0 : 1;
      }
      card.hidden = Boolean(wanted) && !inCard;
      const details = card.querySelector("details");
      if (details) details.open = Boolean(wanted) && inCard > 0;
      found += inCard;
    }
    view.querySelector(".search output").textContent = wanted ? `${found} listed` : "";
  };

  const show = () => {
    const template = document.querySelector(`template[data-view="${CSS.escape(choice.value)}"]`);
    const copy = (template || whole).content.cloneNode(true);
    formatNumbers(copy);
    enhance(copy);
    view.replaceChildren(copy);
    hideTip();
    reset.hidden = !template;
    status.textContent = template ? `${template.dataset.name}: ${template.dataset.summary}` : `All customers: ${choice.dataset.all}`;
  };

  // The choice is in the address, so that it can be linked, and Back undoes it.
  const addressOf = (value) => {
    const template = document.querySelector(`template[data-view="${CSS.escape(value)}"]`);
    return template ? `#show=${encodeURIComponent(template.dataset.name)}` : "#show=";
  };
  const choose = (value) => {
    choice.value = value;
    show();
    location.hash = addressOf(value);
  };
  const readAddress = () => {
    const match = /^#show=(.*)$/.exec(location.hash);
    if (!match && location.hash) return;
    let name = "";
    try {
      name = decodeURIComponent(match?.[1] ?? "");
    } catch {
      return;
    }
    const template = [...document.querySelectorAll("template")].find((one) => one.dataset.name === name);
    const value = template?.dataset.view ?? "all";
    if (value !== choice.value) {
      choice.value = value;
      show();
    }
  };
  addEventListener("hashchange", readAddress);
  choice.addEventListener("change", () => choose(choice.value));
  reset.addEventListener("click", () => {
    choose("all");
    choice.focus();
  });

  const tip = document.getElementById("tip");
  let marked = null;
  const hideTip = () => {
    tip.hidden = true;
    tip.textContent = "";
    marked?.classList.remove("marked");
    marked = null;
  };
  const markAt = (target) => target.closest("[data-t]") ?? target.closest("svg.chart g")?.querySelector("[data-t]") ?? null;
  const segmentOf = (mark) => mark.closest("[data-s]")?.dataset.s;
  const canChoose = (value) => value !== undefined && value !== choice.value && document.querySelector(`template[data-view="${CSS.escape(value)}"]`);
  const showTip = (mark, x, y) => {
    if (marked !== mark) {
      hideTip();
      marked = mark;
      mark.classList.add("marked");
      tip.textContent = mark.dataset.t;
      if (canChoose(segmentOf(mark))) tip.append(make("small", { textContent: "Click or Enter shows this segment" }));
      tip.hidden = false;
    }
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - width - 4))}px`;
    tip.style.top = `${y + 16 + height > innerHeight ? y - height - 10 : y + 16}px`;
  };
  view.addEventListener("pointermove", (event) => {
    const mark = event.pointerType === "touch" ? null : markAt(event.target);
    if (mark) showTip(mark, event.clientX, event.clientY);
    else if (event.pointerType !== "touch") hideTip();
  });
  view.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") hideTip();
  });
  view.addEventListener("click", (event) => {
    const mark = markAt(event.target);
    if (!mark) return hideTip();
    // The first touch explains, the second one chooses.
    if (event.pointerType === "touch" && marked !== mark) return showTip(mark, event.clientX, event.clientY);
    const segment = segmentOf(mark);
    if (canChoose(segment)) choose(segment);
  });
  view.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hideTip();
    const chart = event.target.closest("svg.chart");
    if (!chart) return;
    const marks = [...chart.querySelectorAll("[data-t]")];
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const next = marks[(marks.indexOf(marked) + step + marks.length) % marks.length] ?? marks[0];
      const box = next.getBoundingClientRect();
      showTip(next, box.left + box.width / 2, box.top + box.height / 2);
    } else if (event.key === "Enter" && marked && canChoose(segmentOf(marked))) {
      choose(segmentOf(marked));
      choice.focus();
    }
  });
  view.addEventListener("focusout", hideTip);

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const labelTheme = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `${theme.textContent} colours`);
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    labelTheme();
  });
  dark.addEventListener("change", labelTheme);

  document.getElementById("controls").hidden = false;
  labelTheme();
  formatNumbers(document);
  enhance(document);
  readAddress();
})();
