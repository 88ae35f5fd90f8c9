// What the panel does in the page; see page.py.

function download(name, contents) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([contents]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Plotly listens to nothing but the window.
function refit() {
  window.dispatchEvent(new Event("resize"));
}

// Arrows go from row to row, Enter and Space select, as a click does.
function onRowKey(event) {
  const row = event.target.closest(".sdr-kit-grid tbody tr");
  if (!row || event.target !== row) return;
  const next = {
    ArrowDown: row.nextElementSibling,
    ArrowUp: row.previousElementSibling,
  };
  if (event.key in next) next[event.key]?.focus();
  else if (event.key === "Enter" || event.key === " ") row.cells[0].click();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

// What has no name of its own that can be heard. Each table brings a copy of its library,
// which numbers its parts from 0, so the names it gives may point to another table's.
const NAMES = {
  ".dt-length select": () => "Rows a page",
  ".dt-search input": () => "Search",
  ".dtcc-content input": () => "Search in this column",
  ".dtcc-list-search": () => "Search the values",
  ".dtcc-button_order": (button) => `Sort by ${columnOf(button)}`,
  ".dtcc-button_dropdown": (button) => `Filter ${columnOf(button)}`,
  table: (table) => table.closest(".sdr-kit-grid").querySelector(".heard").textContent,
};

function columnOf(button) {
  return button.closest("th")?.querySelector(".dt-column-title")?.textContent ?? "";
}

// A tooltip is how the kernel says what a group is; it would show wherever the mouse is.
function groupName(group) {
  if (group.title) {
    group.setAttribute("aria-label", group.title);
    group.removeAttribute("title");
  }
  return group.getAttribute("aria-label") ?? "";
}

function nameControls(panel) {
  for (const slider of panel.querySelectorAll(".widget-slider")) {
    const name = slider.querySelector(".widget-label").textContent;
    for (const part of slider.querySelectorAll(".noUi-handle, .widget-readout"))
      part.setAttribute("aria-label", name);
  }
}

function nameTable(grid) {
  for (const [place, name] of Object.entries(NAMES))
    for (const part of grid.querySelectorAll(place))
      part.setAttribute("aria-label", name(part));
  for (const row of grid.querySelectorAll("tbody tr"))
    row.setAttribute("aria-selected", row.classList.contains("selected"));
}

function nameButtons(group) {
  group.setAttribute("role", "group");
  groupName(group);
  for (const button of group.querySelectorAll("button"))
    button.setAttribute("aria-pressed", button.classList.contains("mod-active"));
}

const CHANGES = { childList: true, subtree: true, attributeFilter: ["class"] };

// Calls `act` for an element now, and again whenever something in it has changed.
function keep(observers, element, act) {
  const observer = new MutationObserver(() => act(element));
  observer.observe(element, CHANGES);
  observers.push(observer);
  act(element);
}

// A chart is drawn before it knows how much room it has.
function fitNewCharts(box) {
  const chart = box.querySelector(".js-plotly-plot .main-svg");
  if (chart && chart !== box.fitted) setTimeout(refit, 50);
  box.fitted = chart;
}

function prepare(panel, observers) {
  let width = 0;
  const observer = new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (width && now !== width) refit();
    width = now;
  });
  observer.observe(panel);
  observers.push(observer);
  panel.addEventListener("keydown", onRowKey);
  nameControls(panel);
  for (const grid of panel.querySelectorAll(".sdr-kit-grid")) {
    grid.setAttribute("data-lm-suppress-shortcuts", "true");
    keep(observers, grid, nameTable);
  }
  for (const group of panel.querySelectorAll(".widget-toggle-buttons"))
    keep(observers, group, nameButtons);
  for (const box of panel.querySelectorAll(".sdr-kit-chart"))
    keep(observers, box, fitNewCharts);
}

function render({ model, el }) {
  const observers = [];
  model.on("msg:custom", (message, buffers) => {
    if (message.download) download(message.download, buffers[0]);
    if (message.refit) requestAnimationFrame(refit);
  });
  requestAnimationFrame(() => {
    const panel = el.closest(".sdr-kit-panel");
    if (panel) prepare(panel, observers);
  });
  model.send({ drawn: true });
  return () => observers.forEach((observer) => observer.disconnect());
}

export default { render };
