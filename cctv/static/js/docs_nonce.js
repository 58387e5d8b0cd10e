// Gives style elements that Swagger UI and ReDoc make the nonce of the page: without it the policy refuses them.
const nonce = document.currentScript.nonce;
const make = document.createElement.bind(document);
document.createElement = (name, options) => {
  const element = make(name, options);
  if (String(name).toLowerCase() === "style") element.nonce = nonce;
  return element;
};
