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

// The slider's handle and the groups of buttons have no name that can be heard.
function label(panel) {
  for (const handle of panel.querySelectorAll(".widget-slider .noUi-handle"))
    handle.setAttribute(
      "aria-label",
      handle.closest(".widget-slider").querySelector(".widget-label").textContent,
    );
  for (const grid of panel.querySelectorAll(".sdr-kit-grid"))
    grid.setAttribute("data-lm-suppress-shortcuts", "true");
}

function render({ model, el }) {
  let width = 0;
  const observer = new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (width && now !== width) refit();
    width = now;
  });
  model.on("msg:custom", (message, buffers) => {
    if (message.download) download(message.download, buffers[0]);
    if (message.refit) requestAnimationFrame(refit);
  });
  requestAnimationFrame(() => {
    const panel = el.closest(".sdr-kit-panel");
    if (!panel) return;
    observer.observe(panel);
    panel.addEventListener("keydown", onRowKey);
    label(panel);
  });
  model.send({ drawn: true });
  return () => observer.disconnect();
}

export default { render };
