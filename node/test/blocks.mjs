/** The JavaScript of a page, as one program. */
export function blocks(page) {
  const found = [...page.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
  if (found.length === 0) throw new Error("the page has no JavaScript");
  return found.join("\n");
}
