import { byId, el } from "./dom.js";

/**
 * Say something that must not be missed, with what can be done about it.
 *
 * @param {{title: string, body: string}} words
 * @param {{label: string, act: () => void}[]} [actions]
 */
export function showNotice({ title, body }, actions = []) {
  const buttons = actions.map(({ label, act }) => {
    const button = el("button", { type: "button", text: label });
    button.addEventListener("click", () => {
      hideNotice();
      act();
    });
    return button;
  });
  const box = byId("notice");
  box.hidden = false;
  box.replaceChildren(
    el("strong", { text: title }),
    el("p", { text: body }),
    ...(buttons.length ? [el("div", { class: "actions" }, buttons)] : []),
  );
}

/** Take the notice away. */
export function hideNotice() {
  const box = byId("notice");
  box.hidden = true;
  box.replaceChildren();
}
