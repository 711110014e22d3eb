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

  // Exact figures are decimal strings: they are handed on as text, so that no digit is lost.
  const writers = () => {
    const { locale, currency } = root.dataset;
    if (!locale) return {};
    const money = currency ? { style: "currency", currency } : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
    const short = { ...(currency ? { style: "currency", currency } : {}), notation: "compact", maximumFractionDigits: 1, minimumFractionDigits: 0 };
    const made = (options) => new Intl.NumberFormat(locale, options);
    try {
      return {
        money: made(money),
        short: made(short),
        count: made({ maximumFractionDigits: 0 }),
        share: made({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }),
      };
    } catch {
      return {};
    }
  };
  const formats = Object.entries(writers());
  const write = (part) => {
    for (const [kind, format] of formats) {
      for (const node of part.querySelectorAll(`[data-${kind}]`)) {
        node.textContent = format.format(node.dataset[kind]);
      }
    }
  };

  const show = () => {
    const found = document.querySelector(`template[data-view="${CSS.escape(choice.value)}"]`);
    const copy = (found || whole).content.cloneNode(true);
    write(copy);
    view.replaceChildren(copy);
    reset.hidden = !found;
    status.textContent = found ? `${found.dataset.name}: ${found.dataset.told}` : `All customers: ${choice.dataset.all}`;
  };
  choice.addEventListener("change", show);
  reset.addEventListener("click", () => {
    choice.value = "all";
    show();
    choice.focus();
  });

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const label = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `${theme.textContent} colours`);
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);

  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of closed) part.open = false;
  });

  document.getElementById("controls").hidden = false;
  label();
  write(document);
})();
