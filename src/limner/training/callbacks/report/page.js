"use strict";
(() => {
  const scrub = document.getElementById("scrub");
  if (scrub) {
    const shown = document.getElementById("shown"), when = document.getElementById("when");
    const thumbnails = [...document.querySelectorAll("#frames img")];
    document.getElementById("frames").scrollLeft = 1e6;
    const frames = [...thumbnails.map((t) => [t.src, t.alt]), [shown.src, when.textContent]];
    const show = (index) => {
      scrub.value = index;
      [shown.src, when.textContent] = frames[index];
    };
    scrub.addEventListener("input", () => show(+scrub.value));
    thumbnails.forEach((thumbnail, index) => thumbnail.addEventListener("click", () => show(index)));
    let timer = 0;
    document.getElementById("play").addEventListener("click", (event) => {
      const start = !timer;
      clearInterval(timer);
      timer = 0;
      event.currentTarget.innerHTML = start ? "&#10074;&#10074;" : "&#9654;";
      if (start) timer = setInterval(() => show((+scrub.value + 1) % frames.length), 350);
    });
  }

  const number = (value) => String(+value.toPrecision(4));
  for (const figure of document.querySelectorAll(".chart")) {
    const { lines, range, left, right } = JSON.parse(figure.dataset.chart);
    const svg = figure.querySelector("svg"), rule = figure.querySelector(".rule");
    const outputs = [...figure.querySelectorAll("output")], at = figure.querySelector(".at");
    const nearest = (xs, x) => xs.reduce((best, value, i) => (Math.abs(value - x) < Math.abs(xs[best] - x) ? i : best), 0);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const place = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      const x = range[0] + ((place - left) / (right - left)) * (range[1] - range[0]);
      const kimg = lines[0].x[nearest(lines[0].x, x)];
      lines.forEach((line, i) => (outputs[i].value = number(line.y[nearest(line.x, kimg)])));
      const ruled = left + ((kimg - range[0]) / (range[1] - range[0])) * (right - left);
      rule.setAttribute("x1", ruled);
      rule.setAttribute("x2", ruled);
      rule.setAttribute("visibility", "visible");
      at.textContent = number(kimg) + " kimg";
    });
    svg.addEventListener("pointerleave", () => {
      lines.forEach((line, i) => (outputs[i].value = number(line.y[line.y.length - 1])));
      rule.setAttribute("visibility", "hidden");
      at.textContent = "";
    });
  }
})();
