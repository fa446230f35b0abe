/**
 * Shortcuts with Alt, so that no key a person types or scrolls with is ever taken
 * (WCAG 2.1, success criterion 2.1.4). Read by position: Alt+M types "µ" on a Mac.
 *
 * @param {Record<string, [() => boolean, () => void]>} actions by `KeyboardEvent.code`: whether it can
 *   be done now, and how; what cannot be done leaves the key to the browser
 */
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.repeat) return;
    const [possible, act] = actions[event.code] ?? [];
    if (!possible?.()) return;
    event.preventDefault();
    act?.();
  });
}
