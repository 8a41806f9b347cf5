// Tables that sort, figures that can be saved, folded rows that are printed. The page is complete without it.
"use strict";
(() => {
  const make = (tag, text, act) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (tag === "button") element.type = "button";
    if (act) element.addEventListener("click", act);
    return element;
  };

  // A cell as a number, or as text where it has none.
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim().replace(/−/g, "-");
    const found = text.match(/[+-]?(\d*\.\d+|\d+)(e[+-]?\d+)?/);
    return column && found ? Number(found[0]) : text;
  };
  const compare = (a, b, sign) => {
    if (a === "" || b === "") return (a === "") - (b === "");  // empty cells last, either way
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * (typeof a === "number" ? 1 : typeof b === "number" ? -1 : a.localeCompare(b));
  };
  for (const table of document.querySelectorAll(".table table")) {
    const heads = [...table.querySelectorAll("th[data-column]")];
    const bodies = [...table.tBodies].map(body => [body, [...body.rows].filter(row => row.cells.length > 1)]);
    if (!bodies.some(([, rows]) => rows.length > 1)) continue;
    for (const head of heads) {
      const column = Number(head.dataset.column);
      const button = make("button", "", () => {
        const numeric = bodies.some(([, rows]) => rows.some(row => typeof value(row, column) === "number"));
        const [first, second] = numeric ? ["descending", "ascending"] : ["ascending", "descending"];
        const before = head.getAttribute("aria-sort");
        const order = before === first ? second : before === second ? null : first;  // the third click undoes
        for (const other of heads) other.removeAttribute("aria-sort");
        if (order) head.setAttribute("aria-sort", order);
        const sign = order === "descending" ? -1 : 1;
        for (const [body, rows] of bodies) {
          const sorted = order ? [...rows].sort((a, b) => compare(value(a, column), value(b, column), sign)) : rows;
          body.append(...sorted);
        }
      });
      button.append(...head.childNodes);
      head.append(button);
    }
  }

  // A drawing by itself: dark on white, whatever the page is.
  const alone = svg => {
    const copy = svg.cloneNode(true), box = svg.viewBox.baseVal;
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", box.width);
    copy.setAttribute("height", box.height);
    copy.setAttribute("style", "color: #1b1f24; background: #ffffff");
    return new XMLSerializer().serializeToString(copy);
  };
  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const savePng = (svg, name) => {
    const box = svg.viewBox.baseVal, image = new Image(), canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [3 * box.width, 3 * box.height];
    image.onload = () => {
      const pen = canvas.getContext("2d");
      pen.fillStyle = "#ffffff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(blob => save(blob, name), "image/png");
    };
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(alone(svg))}`;
  };
  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg");
    if (!svg) continue;
    const name = figure.dataset.name || "figure", bar = make("div", "");
    const written = () => save(new Blob([alone(svg)], { type: "image/svg+xml" }), `${name}.svg`);
    bar.className = "save";
    bar.append(make("button", "Save as SVG", written), make("button", "as PNG", () => savePng(svg, `${name}.png`)));
    for (const button of bar.children) button.setAttribute("aria-label", `Save ${name} ${button.textContent.slice(-6)}`);
    figure.append(bar);
  }

  // What scrolls sideways can be scrolled with the arrow keys.
  const reach = () => {
    for (const box of document.querySelectorAll(".table, figure")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
  reach();

  // A link to a section that is folded opens it.
  const unfold = () => {
    const section = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest(".section");
    if (section) section.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open]):not(.long)")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
})();
