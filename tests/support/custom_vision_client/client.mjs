// Microsoft's own SDK, unchanged: one call for each line of JSON on stdin, what came of it as one line on stdout.
// {"endpoint", "key", "method", "project", "name", "given": {"buffer": base64} | {"file" | "chunks": path} | {"url"}, "application"?}
import { createReadStream, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { PredictionAPIClient } from "@azure/cognitiveservices-customvision-prediction";
import { ApiKeyCredentials, RestError } from "@azure/ms-rest-js";

const timeout = 60_000;

// All that the SDK can send from Node: it accepts an ArrayBuffer or a Blob as well, but then its form does not.
const shapes = {
  buffer: (data) => Buffer.from(data, "base64"),
  file: (path) => () => ({ value: createReadStream(path), options: { knownLength: statSync(path).size } }),
  chunks: (path) => () => createReadStream(path), // no length, so it is sent in chunks
  url: (url) => ({ url }),
};

async function call({ endpoint, key, method, project, name, given, application }) {
  const client = new PredictionAPIClient(new ApiKeyCredentials({ inHeader: { "Prediction-key": key } }), endpoint);
  const [[shape, value]] = Object.entries(given);
  try {
    const answer = await client[method](project, name, shapes[shape](value), { application, timeout });
    const { status, headers } = answer._response;
    return { answer, created: answer.created.getTime(), status, headers: headers.toJson() };
  } catch (error) {
    const { statusCode, code, message, body } = error;
    return { error: { isTheSdks: error instanceof RestError, statusCode, code, message, body } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await call(JSON.parse(line))));
}
process.exit(0); // not only when the last time limit is over
