// The connection over which the results come: SignalR, kept up for as long as the page is open.

/** A failure, with a message for people. `status` is HTTP's if the API answered; `wantsKey` says that it was for want of a key. */
class Problem extends Error {
  constructor(message, details = {}) {
    super(message);
    Object.assign(this, details);
  }
}

const delays = [0.5, 1, 2, 4, 8, 15, 30].map((seconds) => seconds * 1000);
const requestTimeout = 20_000;

/** Milliseconds until the next try. Many pages lose a server at once; they should not all come back at once. */
const delayAfter = (tries) => delays[Math.min(tries, delays.length - 1)] * (0.75 + Math.random() / 2);

/**
 * Connects, and connects again whenever the connection is lost, for ever. Only a key that the API wants ends the tries,
 * until `restart` is called.
 *
 * `onState` gets { name, retryAt, problem, again }, with `name` one of 'connecting', 'connected', 'waiting' (for the next
 * try, at `retryAt` of performance.now()) and 'refused' (a key is wanted); `again` is true once there was a connection.
 * `handlers` maps SignalR targets to functions of the message.
 */
export function openFeed({ signalR, address, readKey, handlers, onState }) {
  const http = new ApiHttpClient(signalR, address, readKey);
  const connection = new signalR.HubConnectionBuilder()
    // Without credentials the API may allow every origin ("*"), as all its other endpoints do.
    .withUrl(`${address}/api`, { httpClient: http, withCredentials: false, timeout: requestTimeout })
    .withAutomaticReconnect({
      nextRetryDelayInMilliseconds({ previousRetryCount, retryReason }) {
        // The first reason is the loss itself; what was wrong with an older call is not what is wrong now.
        const problem = previousRetryCount ? explain(retryReason) : new Problem('The connection was lost.');
        if (problem.wantsKey) return null;
        return say('waiting', { problem, delay: delayAfter(previousRetryCount) }).delay;
      },
    })
    .configureLogging(signalR.LogLevel.None) // the page says it all itself
    .build();

  let again = false;
  let wake = null; // ends the wait between two tries
  let isAsked = false; // true while a connection ends because somebody wants a new one

  function say(name, { problem = null, delay = 0 } = {}) {
    onState({ name, problem, again, retryAt: performance.now() + delay });
    return { delay };
  }

  function explain(error) {
    return http.problem ?? new Problem(`The API answered, but the connection for the results cannot be made: ${String(error?.message ?? error).replace(/\.?$/, '.')}`);
  }

  function connected() {
    again = true;
    say('connected');
  }

  /** Tries until it succeeds; `problem` is what there is to wait for before the first try. */
  async function connect(problem = null) {
    for (let tries = 0; ; tries += 1) {
      if (problem?.wantsKey) return say('refused', { problem });
      if (problem) await wait(say('waiting', { problem, delay: delayAfter(Math.max(tries - 1, 0)) }));
      say('connecting');
      try {
        await connection.start();
        return connected();
      } catch (error) {
        problem = explain(error);
      }
    }
  }

  const wait = ({ delay }) => new Promise((resolve) => {
    const timer = setTimeout(done, delay);
    function done() {
      clearTimeout(timer);
      wake = null;
      resolve();
    }
    wake = done;
  });

  function startAnew() {
    if (wake) return wake();
    if (connection.state === signalR.HubConnectionState.Disconnected) return connect();
    isAsked = true;
    return connection.stop(); // onclose connects
  }

  for (const [target, handler] of Object.entries(handlers)) connection.on(target, handler);
  connection.onreconnected(connected);
  connection.onclose((error) => {
    const problem = isAsked ? null : http.problem ?? new Problem(error?.message ?? 'The connection was closed.');
    isAsked = false;
    connect(problem);
  });
  connect();

  return {
    /** Tries again now instead of at the end of the wait. */
    retryNow() {
      if (wake || connection.state === signalR.HubConnectionState.Reconnecting) startAnew();
    },
    /** Connects anew, with the key that there is now. */
    restart: startAnew,
  };
}

/** Sends the key to the API and to nobody else, and keeps what the API said when it refused. */
function ApiHttpClient(signalR, address, readKey) {
  const negotiate = `${address}/api/negotiate?`;

  class Client extends signalR.DefaultHttpClient {
    problem = null;

    async send(request) {
      // The answer sends the client on to the SignalR service, which has a token of its own and must not get the key.
      if (!request.url.startsWith(negotiate)) return this.sendToService(request);
      const key = readKey();
      if (key) request.headers = { ...request.headers, 'x-functions-key': key };
      try {
        const response = await super.send(request);
        this.problem = isConnectionInfo(response.content) ? null : new Problem(
          `${address}/api/negotiate did not answer with connection info. Perhaps something in front of the API answered in its place, or the address is not that of the API.`);
        return response;
      } catch (error) {
        this.problem = error instanceof signalR.HttpError ? readRefusal(error, address) : new Problem(whyNoAnswer(address));
        throw error;
      }
    }

    async sendToService(request) {
      try {
        const response = await super.send(request);
        this.problem = null;
        return response;
      } catch (error) {
        const what = error instanceof signalR.HttpError ? `refused with HTTP ${error.statusCode}` : 'does not answer';
        this.problem = new Problem(`The API answered, but the SignalR service that it names, ${new URL(request.url).origin}, ${what}.`);
        throw error;
      }
    }
  }
  return new Client({ log() {} });
}

function isConnectionInfo(text) {
  try {
    const { url, availableTransports } = JSON.parse(text);
    return Boolean(url || availableTransports);
  } catch {
    return false;
  }
}

/** SignalR's HttpError has the answer's body in its message: the API's {"error": {"code", "message"}}, or anything. */
function readRefusal({ statusCode: status, message }, address) {
  let error;
  try {
    ({ error } = JSON.parse(message.replace(/: Status code '\d+'$/, '')));
  } catch {
    // not the API's own words
  }
  const where = status === 404
    ? 'The address may not be that of the API, or its function “negotiate” is switched off.'
    : 'Its log may say more.';
  return new Problem(error?.message ?? `${address}/api/negotiate answered with HTTP ${status}. ${where}`, { status, wantsKey: status === 401 });
}

/** A browser does not tell a page why a call failed; this names the reasons that fit. */
function whyNoAnswer(address) {
  const { protocol, origin } = new URL(address);
  const reasons = ['it may not be running', 'the network may be down'];
  if (origin !== location.origin) reasons.push('it may not let pages from elsewhere call it (CORS)');
  if (protocol === 'http:' && location.protocol === 'https:') reasons.push('a page on https may not call an API on http');
  return `No answer came from ${origin}: ${reasons.slice(0, -1).join(', ')}, or ${reasons.at(-1)}.`;
}
