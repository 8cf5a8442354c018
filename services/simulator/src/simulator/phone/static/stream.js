// The stream of a conversation: what is new or has changed, from wherever the page left off.

const SILENCE = 40_000; // milliseconds; the server says something every 15 seconds
const PAUSE = 1_000; // milliseconds before a stream that was refused is asked for again

/** Follow a conversation until the returned function is called. */
export function follow({ contact, sender }, { onMessage, onReady, onConnection }) {
  let cursor = "0";
  let source;
  let timer;

  function open() {
    source = new EventSource(`/phone/events?${new URLSearchParams({ contact, sender, after: cursor })}`);
    source.addEventListener("open", () => heard());
    source.addEventListener("heartbeat", () => heard());
    source.addEventListener("ready", () => onReady());
    source.addEventListener("message", (event) => {
      heard();
      cursor = event.lastEventId;
      onMessage(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      onConnection(false);
      // The browser comes back by itself after a lost connection, but not after a refusal.
      if (source.readyState === EventSource.CLOSED) wait(PAUSE);
    });
  }

  function heard() {
    onConnection(true);
    wait(SILENCE);
  }

  function wait(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      onConnection(false);
      source.close();
      open();
    }, milliseconds);
  }

  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
