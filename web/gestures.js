/** The picture under the hand: dragged with the mouse, zoomed with the wheel or with two fingers. */

const LEAST_PIXELS = 5; // of a drag; less is a click
const WHEEL_STEP = 1.1;

/** `zoomBy(factor, at)` zooms around a point {clientX, clientY} of the screen. */
export function handle(stage, zoomBy) {
  drag(stage);
  pinch(stage, zoomBy);
  stage.addEventListener(
    "wheel",
    (event) => {
      const fits = stage.scrollHeight <= stage.clientHeight && stage.scrollWidth <= stage.clientWidth;
      if (!event.ctrlKey && !event.metaKey && (!fits || event.shiftKey || !event.deltaY)) return; // it scrolls
      event.preventDefault();
      zoomBy(event.deltaY < 0 ? WHEEL_STEP : 1 / WHEEL_STEP, event);
    },
    { passive: false },
  );
}

/** Fingers scroll by themselves; a mouse has to be told. */
function drag(stage) {
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || (event.button !== 0 && event.button !== 1)) return;
    from = { x: event.clientX, y: event.clientY, left: stage.scrollLeft, top: stage.scrollTop, isMoved: false };
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    if (!from.isMoved && Math.hypot(x, y) < LEAST_PIXELS) return;
    if (!from.isMoved) {
      from.isMoved = true;
      stage.setPointerCapture(event.pointerId);
      stage.classList.add("dragged");
    }
    stage.scrollTo({ left: from.left - x, top: from.top - y, behavior: "instant" });
  });
  const end = () => {
    if (from?.isMoved) {
      // What was dragged is not clicked as well.
      stage.addEventListener("click", stop, { capture: true, once: true });
      setTimeout(() => stage.removeEventListener("click", stop, { capture: true }), 0);
    }
    from = null;
    stage.classList.remove("dragged");
  };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  stage.addEventListener("dragstart", (event) => event.preventDefault());
}

function pinch(stage, zoomBy) {
  let last = null;
  const between = ([a, b]) => ({
    distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY),
    clientX: (a.clientX + b.clientX) / 2,
    clientY: (a.clientY + b.clientY) / 2,
  });
  stage.addEventListener("touchstart", ({ touches }) => {
    last = touches.length === 2 ? between(touches) : null;
  });
  stage.addEventListener(
    "touchmove",
    (event) => {
      if (!last || event.touches.length !== 2) return;
      event.preventDefault(); // the browser would zoom the whole page
      const now = between(event.touches);
      zoomBy(now.distance / last.distance, now);
      stage.scrollBy({ left: last.clientX - now.clientX, top: last.clientY - now.clientY, behavior: "instant" });
      last = now;
    },
    { passive: false },
  );
  stage.addEventListener("touchend", ({ touches }) => {
    if (touches.length < 2) last = null;
  });
}

function stop(event) {
  event.stopPropagation();
}
