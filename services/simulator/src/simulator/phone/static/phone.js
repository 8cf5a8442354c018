// The phone: who writes to whom, what was said, and what is being written.

import { Bubbles } from "./bubbles.js";
import { follow } from "./stream.js";

// Numbers that belong to nobody.
const CONTACTS = [
  { name: "Ana Souza", number: "+5511999990001" },
  { name: "Bruno Lima", number: "+5511999990002" },
  { name: "Carla Dias", number: "+5521999990003" },
  { name: "Sam Parker", number: "+14155550134" },
];
const WHATSAPP = "whatsapp:";
const LABELS = { whatsapp: "WhatsApp", sms: "SMS" };
const PAUSE = 1_000; // milliseconds between looks for a number, while there is none

const at = (id) => document.getElementById(id);
const channels = [...document.querySelectorAll("input[name=channel]")];
const bubbles = new Bubbles(at("bubbles"), at("log"));

let businesses = [];
let stop = () => {};
let sending = Promise.resolve();

/** Senders of one account with one number are one business, on one channel or on two. */
function group(senders) {
  const found = new Map();
  for (const { address, account_sid, name } of senders) {
    const number = address.replace(WHATSAPP, "");
    const key = `${account_sid} ${number}`;
    const business = found.get(key) ?? { name: name ?? pretty(number), number, channels: {} };
    business.channels[address.startsWith(WHATSAPP) ? "whatsapp" : "sms"] = address;
    found.set(key, business);
  }
  return [...found.values()];
}

function pretty(number) {
  return number
    .replace(/^\+55(\d\d)(\d{4,5})(\d{4})$/, "+55 $1 $2-$3")
    .replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2-$3");
}

function chosen() {
  const business = businesses[at("businesses").selectedIndex];
  const contact = CONTACTS[at("contacts").selectedIndex];
  const wanted = channels.find((input) => input.checked)?.value ?? "whatsapp";
  const channel = wanted in business.channels ? wanted : Object.keys(business.channels)[0];
  const prefix = channel === "whatsapp" ? WHATSAPP : "";
  return { business, channel, profile: contact.name, sender: business.channels[channel], contact: prefix + contact.number };
}

/** Show the conversation that is chosen, from its beginning. */
function openConversation() {
  const { business, channel, contact, sender } = chosen();
  for (const input of channels) input.checked = input.value === channel;
  const single = Object.keys(business.channels).length < 2;
  at("channel-choice").hidden = single;
  document.documentElement.dataset.channel = channel;
  at("business").textContent = business.name;
  at("number").textContent = pretty(business.number) + (single ? ` · ${LABELS[channel]}` : "");
  at("avatar").textContent = [...business.name.replace(/[^\p{L}\p{N}]/gu, "")][0] ?? "";
  at("empty").textContent = `Write to ${business.name}. Nothing you send leaves this simulator.`;
  at("empty").hidden = true;
  at("problem").textContent = "";
  history.replaceState(null, "", `#${new URLSearchParams({ contact, sender })}`);

  stop();
  bubbles.clear();
  at("log").ariaBusy = "true";
  stop = follow({ contact, sender }, {
    onMessage(message) {
      at("empty").hidden = true;
      bubbles.show(message, business.name);
    },
    onReady() {
      at("log").ariaBusy = "false";
      at("empty").hidden = !bubbles.empty;
    },
    onConnection(up) {
      const words = up ? "" : "Connection lost. Reconnecting …";
      if (at("notice").textContent !== words) at("notice").textContent = words;
    },
  });
}

/** Messages leave one after the other, so that they arrive in the order in which they were written. */
function send(text) {
  const { contact, sender, profile } = chosen();
  const body = JSON.stringify({ from: contact, to: sender, text, profile_name: profile });
  sending = sending.then(async () => {
    try {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch("/simulator/messages", { method: "POST", headers, body });
      if (!answer.ok) throw new Error(`the simulator answered ${answer.status}`);
      at("problem").textContent = "";
    } catch (error) {
      at("problem").textContent = `Not sent: ${error.message}.`;
      at("text").value = [text, at("text").value].filter(Boolean).join("\n");
    }
  });
}

function fillChoices() {
  at("contacts").replaceChildren(...CONTACTS.map(({ name, number }) => new Option(`${name} · ${pretty(number)}`)));
  at("businesses").replaceChildren(...businesses.map(({ name }) => new Option(name)));
  at("business-choice").hidden = businesses.length < 2;
  const asked = new URLSearchParams(location.hash.slice(1));
  const sender = asked.get("sender") ?? "";
  const number = (asked.get("contact") ?? "").replace(WHATSAPP, "");
  at("contacts").selectedIndex = Math.max(0, CONTACTS.findIndex((one) => one.number === number));
  at("businesses").selectedIndex = Math.max(
    0, businesses.findIndex((one) => Object.values(one.channels).includes(sender)));
  for (const input of channels) input.checked = sender && (input.value === "whatsapp") === sender.startsWith(WHATSAPP);
}

async function findBusinesses() {
  try {
    businesses = group(await (await fetch("/simulator/senders")).json());
  } catch {
    businesses = []; // the simulator is away: the notice says so, and it is asked again
  }
  if (businesses.length === 0) {
    at("notice").textContent = "No business has a number yet. Waiting …";
    setTimeout(findBusinesses, PAUSE);
    return;
  }
  at("notice").textContent = "";
  fillChoices();
  openConversation();
  if (matchMedia("(pointer: fine)").matches) at("text").focus();
}

at("choices").addEventListener("change", openConversation);
at("channel-choice").addEventListener("change", openConversation);
at("choices").addEventListener("submit", (event) => event.preventDefault());
at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text || businesses.length === 0) return;
  at("text").value = "";
  at("text").focus();
  send(text);
});
at("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("composer").requestSubmit();
});

findBusinesses();
