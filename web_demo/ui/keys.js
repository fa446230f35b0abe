/**
 * Shortcuts with Alt, so that no key a person types or scrolls with is ever taken
 * (WCAG 2.1, success criterion 2.1.4). Read by position: Alt+M types "µ" on a Mac.
 *
 * @param {Record<string, () => boolean>} actions by `KeyboardEvent.code`; an action returns whether
 *   it had anything to do, else the key goes on to the browser
 */
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.repeat) return;
    if (actions[event.code]?.()) event.preventDefault();
  });
}
