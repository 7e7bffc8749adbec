/* n: add a source. */
(function () {
  "use strict";
  const address = document.currentScript.dataset.new;
  talkworthy.key("n", () => window.location.assign(address));
})();
