"use strict";
// Draws the plots from the data beside it, in the colours of the page, and again when those change.
(() => {
  const PRINT_WIDTH = 680;
  const data = JSON.parse(document.getElementById("plots").textContent);
  const config = {
    displaylogo: false, responsive: true, showSendToCloud: false, showEditInChartStudio: false,
    plotlyServerURL: "", modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
  };
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    const look = {paper_bgcolor: of("--card"), plot_bgcolor: of("--card"), "font.color": of("--ink")};
    for (const axis of ["xaxis", "yaxis"]) {
      look[`${axis}.gridcolor`] = of("--line");
      look[`${axis}.linecolor`] = of("--soft");
      look[`${axis}.zerolinecolor`] = of("--line");
    }
    look["hoverlabel.bgcolor"] = of("--card");
    look["hoverlabel.font.color"] = of("--ink");
    return look;
  };
  const plots = Object.keys(data).map((key) => [document.getElementById(key), data[key]]);
  const repaint = () => {
    const look = colours();
    for (const [place] of plots) Plotly.relayout(place, look);
  };
  const family = getComputedStyle(document.body).fontFamily;
  const set = (layout, path, value) => {
    const names = path.split(".");
    const last = names.pop();
    let inside = layout;
    for (const name of names) inside = inside[name] ??= {};
    inside[last] = value;
  };
  const look = colours();
  const drawn = plots.map(([place, figure]) => {
    const layout = structuredClone(figure.layout);
    for (const [path, value] of Object.entries(look)) set(layout, path, value);
    set(layout, "font.family", family);
    return Plotly.newPlot(place, figure.data, layout, config);
  });
  Promise.all(drawn).then(() => { document.documentElement.dataset.drawn = "yes"; });

  const choice = document.getElementById("logarithmic");
  choice?.addEventListener("change", () => {
    for (const [place, figure] of plots) {
      if (place.dataset.scale !== "either") continue;
      const {range, tickmode} = figure.layout.yaxis;
      Plotly.relayout(place, choice.checked
        ? {"yaxis.type": "log", "yaxis.tickmode": tickmode, "yaxis.range": [...range]}
        : {"yaxis.type": "linear", "yaxis.tickmode": "auto", "yaxis.rangemode": "tozero", "yaxis.autorange": true});
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.look = "print";
    const look = {...colours(), width: PRINT_WIDTH};
    for (const [place] of plots) Plotly.relayout(place, look);
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.look;
    const look = {...colours(), width: null, autosize: true};
    for (const [place] of plots) Plotly.relayout(place, look);
  });
})();
