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

  const show = () => {
    const template = document.querySelector(`template[data-view="${CSS.escape(choice.value)}"]`);
    const copy = (template || whole).content.cloneNode(true);
    formatNumbers(copy);
    view.replaceChildren(copy);
    reset.hidden = !template;
    status.textContent = template ? `${template.dataset.name}: ${template.dataset.summary}` : `All customers: ${choice.dataset.all}`;
  };
  choice.addEventListener("change", show);
  reset.addEventListener("click", () => {
    choice.value = "all";
    show();
    choice.focus();
  });

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

  // A collapsed table can't be opened on paper.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of closed) part.open = false;
  });

  document.getElementById("controls").hidden = false;
  labelTheme();
  formatNumbers(document);
})();
