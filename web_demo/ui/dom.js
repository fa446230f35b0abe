/**
 * The element with this id, which the page is known to have.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (found);
}

/**
 * Make an element. Text is always text, never markup: it comes from the network.
 *
 * @param {string} tag
 * @param {{class?: string, text?: string, [attribute: string]: string|undefined}} [attributes]
 * @param {(Node|string|null)[]} [children]
 * @returns {HTMLElement}
 */
export function el(tag, { class: className, text, ...attributes } = {}, children = []) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * @param {string} name `book_appointment`
 * @returns {string} `Book appointment`
 */
export function humanised(name) {
  const words = name.replace(/[_.-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
