// Starts ReDoc on the schema of this server.
const place = document.getElementById("docs");
window.Redoc.init(place.dataset.schema, { nativeScrollbars: true, hideHostname: false }, place);
