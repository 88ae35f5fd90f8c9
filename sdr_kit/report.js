// Draws the charts of a report from the data that stands in their places.
const PAPER_WIDTH = 680; // pixels that fit on A4 and on Letter
const charts = [...document.querySelectorAll(".chart")].map((place) => {
  const figure = JSON.parse(place.textContent);
  place.replaceChildren();
  const config = { responsive: true, displaylogo: false, showSendToCloud: false };
  Plotly.newPlot(place, figure.data, figure.layout, config);
  return place;
});
const fit = (size) => charts.forEach((chart) => Plotly.relayout(chart, size));
addEventListener("beforeprint", () => fit({ width: PAPER_WIDTH, autosize: false }));
addEventListener("afterprint", () => fit({ width: null, autosize: true }));
