// A request that a reader puts together on the page: as fetch() makes it, and as a line for a terminal.

/** Stands for an image in base64, in the examples of openapi.json. */
export const imageMark = 'iVBORw0KGgo…';

/** The address with the reader's values in it; query parameters that are empty are left out. */
export function addressOf(base, { path, parameters }, values) {
  const query = new URLSearchParams();
  let filled = path;
  for (const { name, in: where } of parameters) {
    const value = String(values[name] ?? '').trim();
    if (where === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(value));
    else if (value) query.set(name, value);
  }
  return `${base}${filled}${String(query) && `?${query}`}`;
}

/** Parameters that are needed and empty. */
export function missing({ parameters }, values) {
  return parameters.filter(({ required, name }) => required && !String(values[name] ?? '').trim()).map(({ name }) => name);
}

/** The arguments for fetch(). `file` is a Blob with a name, `text` the content of the box for JSON. */
export async function requestOf(method, body, { file, text, key }) {
  const headers = key ? { 'x-functions-key': key } : {};
  if (!body) return { method, headers };
  if (body.kind === 'json') {
    const filled = text.includes(imageMark) && file ? text.replaceAll(imageMark, await base64(file)) : text;
    return { method, headers: { ...headers, 'Content-Type': body.type }, body: filled };
  }
  if (body.kind === 'form') {
    const form = new FormData();
    form.append(body.field, file, file.name);
    return { method, headers, body: form };
  }
  const type = body.type.endsWith('/*') ? file.type || 'application/octet-stream' : body.type;
  return { method, headers: { ...headers, 'Content-Type': type }, body: file };
}

/** The same for a POSIX shell. The key stays out: the line may be shared. */
export function curlLine(url, method, body, { fileName, text, key }) {
  const quote = (part) => `'${part.replaceAll("'", `'\\''`)}'`;
  if (body?.kind === 'json' && text.includes(imageMark)) {
    const [before, ...after] = compact(text).split(imageMark).map(quote);
    const filled = [before, ...after].join(`$(base64 < ${quote(fileName)} | tr -d '\\n')`);
    return `echo ${filled} | ${curlLine(url, method, { ...body, kind: 'piped' }, { key })}`;
  }
  const parts = ['curl'];
  if (key) parts.push('-H "x-functions-key: $API_KEY"');
  if (body?.kind === 'json') parts.push('--json', quote(compact(text)));
  else if (body?.kind === 'piped') parts.push('--json', '@-');
  else if (body?.kind === 'form') parts.push('-F', quote(`${body.field}=@${fileName}`));
  else if (body?.kind === 'file') parts.push('-H', quote('Content-Type: application/octet-stream'), '--data-binary', quote(`@${fileName}`));
  else if (method !== 'GET') parts.push('-X', method);
  return [...parts, quote(url)].join(' ');
}

function compact(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text; // what is no JSON may be sent too, to see what comes back
  }
}

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** JSON with line breaks; anything else as it is. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
