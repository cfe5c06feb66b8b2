// Any number of official SignalR clients, told what to do by lines of JSON on stdin, telling what happens on stdout.
// {"do": "connect", "name", "url", "token"?, "headers"?} | {"do": "invoke" | "send", "name", "method"} | {"do": "stop", "name"}
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// The package is the pages' own, pinned in frontend/package-lock.json.
const signalR = createRequire(new URL("../../../frontend/package.json", import.meta.url))("@microsoft/signalr");

const targets = ["newResult", "newFailure"];
const retryDelays = [0, ...Array(100).fill(100)];
const connections = new Map();

const tell = (name, event, details = {}) => console.log(JSON.stringify({ name, event, ...details }));
const failed = (name, event) => (error) => tell(name, event, { error: String(error?.message ?? error) });

const actions = {
  connect({ name, url, token, headers }) {
    const connection = new signalR.HubConnectionBuilder()
      .withUrl(url, { accessTokenFactory: token && (() => token), headers })
      .withAutomaticReconnect(retryDelays)
      .configureLogging(signalR.LogLevel.None)
      .build();
    connections.set(name, connection);
    for (const target of targets) connection.on(target, (...args) => tell(name, "message", { target, arguments: args }));
    connection.onreconnecting((error) => tell(name, "reconnecting", { error: error?.message ?? "" }));
    connection.onreconnected((id) => tell(name, "connected", { id }));
    connection.onclose((error) => tell(name, "closed", { error: error?.message ?? "" }));
    return connection.start().then(() => tell(name, "connected", { id: connection.connectionId }), failed(name, "refused"));
  },
  invoke: ({ name, method }) => connections.get(name).invoke(method, 1).catch(failed(name, "invoke failed")),
  send: ({ name, method }) => connections.get(name).send(method, 1).catch(failed(name, "send failed")),
  stop: ({ name }) => connections.get(name).stop(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  actions[command.do](command);
}
process.exit(0);
