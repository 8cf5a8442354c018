// The bubbles of one conversation. Texts come from strangers: they are only ever set as text.

const SVG = "http://www.w3.org/2000/svg";
const TICK = "m2 7 3.2 3.2L12 3.2";
const SECOND_TICK = "m8.4 9.4.8.8L16 3.2";
const MARKS = {
  sending: ["M9 1.8a4.6 4.6 0 1 1 0 9.2 4.6 4.6 0 0 1 0-9.2M9 4v2.6l1.8 1"],
  sent: [TICK],
  delivered: [TICK, SECOND_TICK],
  read: [TICK, SECOND_TICK],
  failed: ["M9 1.8a4.6 4.6 0 1 1 0 9.2 4.6 4.6 0 0 1 0-9.2M9 4v2.8M9 8.8v.1"],
};
const FAILURES = { ct: "no connection", rt: "no answer" };

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });

/** Bubbles in the order in which the messages came, whatever the order in which they are shown. */
export class Bubbles {
  constructor(list, scroller) {
    this.list = list;
    this.scroller = scroller;
    this.shown = new Map();
  }

  get empty() {
    return this.shown.size === 0;
  }

  clear() {
    this.list.replaceChildren();
    this.shown.clear();
  }

  /** Show a message, or what has become of it. */
  show(message, business) {
    const atEnd = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 80;
    let bubble = this.shown.get(message.sid);
    if (!bubble) {
      bubble = newBubble(message, business);
      this.shown.set(message.sid, bubble);
      this.place(bubble, message);
    }
    mark(bubble, message);
    if (atEnd || message.direction === "inbound") this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  place(bubble, message) {
    bubble.dataset.order = message.order;
    let next = null;
    let before = this.list.lastElementChild;
    while (before && !(Number(before.dataset.order) < message.order)) {
      next = before;
      before = before.previousElementSibling;
    }
    this.list.insertBefore(bubble, next);
    const day = calendar.format(new Date(message.at));
    if (!this.list.querySelector(`[data-day="${CSS.escape(day)}"]`)) {
      const chip = element("li", "day", day);
      chip.dataset.day = day;
      chip.dataset.order = message.order - 0.5;
      this.list.insertBefore(chip, bubble);
    }
  }
}

function newBubble(message, business) {
  const mine = message.direction === "inbound";
  const bubble = element("li", `bubble ${mine ? "mine" : "theirs"}`);
  bubble.append(element("span", "unseen", mine ? "You: " : `${business}: `));
  if (message.text) {
    const text = element("p", "text", message.text);
    text.dir = "auto";
    bubble.append(text);
  }
  for (const url of message.media) bubble.append(element("p", "file", url));
  const time = element("time", "", clock.format(new Date(message.at)));
  time.dateTime = message.at;
  const meta = element("p", "meta");
  meta.append(element("span", "detail"), time, element("span", "ticks"));
  bubble.append(meta);
  return bubble;
}

function mark(bubble, message) {
  const { name, label, detail } = message.direction === "inbound" ? told(message.webhook) : fate(message);
  bubble.classList.toggle("read", name === "read");
  bubble.classList.toggle("failed", name === "failed");
  bubble.querySelector(".detail").textContent = detail ?? "";
  const ticks = bubble.querySelector(".ticks");
  ticks.dataset.mark = name;
  ticks.title = label;
  ticks.replaceChildren(element("span", "unseen", label), icon(name));
}

/** What became of a message to this phone. */
function fate({ status, error_code }) {
  if (status === "undelivered" || status === "failed") {
    return { name: "failed", label: status, detail: `${status}: ${error_code}` };
  }
  const name = status in MARKS ? status : "sending";
  return { name, label: name };
}

/** What became of a message from this phone: whether the business's webhook took it. */
function told({ state, status_code, failure }) {
  const cause = status_code ?? FAILURES[failure];
  if (state === "delivered") return { name: "delivered", label: `delivered: webhook answered ${cause}` };
  if (state === "failed") return { name: "failed", label: "failed", detail: `not delivered: ${cause}` };
  return { name: "sending", label: "sending", detail: cause ? `trying again: ${cause}` : "" };
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 18 13");
  svg.setAttribute("aria-hidden", "true");
  for (const line of MARKS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    svg.append(path);
  }
  return svg;
}
