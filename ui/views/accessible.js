// What gradio leaves out: names for images that can be clicked, and a slider handle for the keyboard.
() => {
  const STEP = 0.05; // of the image's width, for one press of an arrow key

  const title = (element) =>
    element.closest(".block")?.querySelector("[data-testid=block-label]")?.innerText.trim() ?? "";

  const nameImages = () => {
    for (const image of document.querySelectorAll(".image-frame img, #slider img")) {
      const name = title(image);
      if (name && image.alt !== name) image.alt = name;
    }
    for (const frame of document.querySelectorAll(".image-frame")) {
      const button = frame.closest("button");
      const name = title(frame);
      if (button && name && button.getAttribute("aria-label") !== name)
        button.setAttribute("aria-label", name);
    }
  };

  const fire = (target, kind, x, y) =>
    target.dispatchEvent(
      new MouseEvent(kind, { bubbles: true, cancelable: true, view: window, clientX: x, clientY: y })
    );

  const pressed = (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const handle = event.currentTarget;
    const box = handle.getBoundingClientRect();
    const image = document.querySelector("#slider img").getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const there = Math.min(
      Math.max(x + way * STEP * image.width, image.left + 1), image.right - 1
    );
    fire(handle, "mousedown", x, y);
    fire(window, "mousemove", there, y);
    fire(window, "mouseup", there, y);
    tell(handle, there, image);
  };

  const tell = (handle, x, image) =>
    handle.setAttribute("aria-valuenow", Math.round((100 * (x - image.left)) / image.width));

  const readyHandle = () => {
    const handle = document.querySelector("#slider .outer");
    if (!handle || handle.tabIndex === 0) return;
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", "Where the left image ends, in percent");
    handle.setAttribute("aria-valuemin", "0");
    handle.setAttribute("aria-valuemax", "100");
    handle.setAttribute("aria-valuenow", "50");
    handle.addEventListener("keydown", pressed);
  };

  const mend = () => {
    nameImages();
    readyHandle();
  };
  mend();
  // One look a frame, however much changes in it.
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      mend();
    });
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["src"] });
}
