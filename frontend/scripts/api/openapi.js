// Reads openapi.json: its operations in the order of its tags, and what bodies look like, as text.

/** [{ name, words, operations: [{ id, method, path, summary, words, parameters, bodies, … }] }] */
export function readGroups(document) {
  const all = Object.entries(document.paths).flatMap(([path, methods]) => (
    Object.entries(methods).map(([method, operation]) => readOperation(document, path, method, operation))));
  return document.tags.map(({ name, description }) => ({
    name, words: paragraphs(description), operations: all.filter(({ tag }) => tag === name),
  }));
}

function readOperation(document, path, method, operation) {
  return {
    id: operation.operationId,
    tag: operation.tags[0],
    method: method.toUpperCase(),
    path,
    parts: path.split(/(?=[/:])/), // between which a long one may be broken
    summary: operation.summary,
    words: paragraphs(operation.description),
    parameters: (operation.parameters ?? []).map((parameter) => ({
      ...parameter,
      words: paragraphs(parameter.description),
      choices: parameter.schema.enum ?? null,
      kind: shape(document, parameter.schema),
    })),
    bodies: Object.entries(operation.requestBody?.content ?? {}).map(([type, { schema, example }]) => readBody(document, type, schema, example)),
    isBodyNeeded: operation.requestBody?.required ?? false,
    answers: Object.entries(operation.responses).map(([status, answer]) => readAnswer(document, status, answer)),
  };
}

function readBody(document, type, schema, example) {
  const whole = resolve(document, schema);
  const isForm = type === 'multipart/form-data';
  return {
    type,
    kind: isForm ? 'form' : type === 'application/json' ? 'json' : 'file',
    field: isForm ? Object.keys(whole.properties)[0] : null,
    shape: shape(document, schema),
    example: example ?? whole.examples?.[0] ?? null,
  };
}

function readAnswer(document, status, given) {
  const answer = resolve(document, given);
  const schema = answer.content?.['application/json'].schema;
  const isGood = status.startsWith('2');
  const example = isGood && schema && resolve(document, schema).examples?.[0];
  const headers = Object.entries(answer.headers ?? {}).map(([name, header]) => ({ name, ...resolve(document, header) }));
  return {
    status, headers, words: paragraphs(answer.description), isGood,
    // All errors of an endpoint look the same: their description says the codes.
    shape: isGood && schema ? shape(document, schema) : '',
    example: example ? JSON.stringify(example, null, 2) : '',
  };
}

/** Resolves a "$ref". */
export function resolve(document, given) {
  return given.$ref ? given.$ref.slice(2).split('/').reduce((found, name) => found[name], document) : given;
}

/** A schema as people would write it down: { tagName: string, probability: number } */
export function shape(document, given, indent = '') {
  const schema = resolve(document, given);
  const either = schema.oneOf ?? (schema.properties ? null : schema.anyOf);
  if (either) return either.map((one) => shape(document, one, indent)).join(`\n${indent}or `);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.type === 'array') return schema.items ? `[ ${shape(document, schema.items, indent)}, … ]` : '[ … ]';
  if (schema.properties) {
    const inner = `${indent}  `;
    const lines = Object.entries(schema.properties).map(([name, property]) => {
      const note = resolve(document, property).description;
      const mark = (schema.required ?? []).includes(name) ? '' : '?';
      return `${inner}${name}${mark}: ${shape(document, property, inner)}${note ? `  — ${note}` : ''}`;
    });
    return `{\n${lines.join('\n')}\n${indent}}`;
  }
  if (schema.format === 'binary') return 'the bytes of the file';
  const type = [schema.type ?? 'any'].flat().join(' | ');
  return schema.format ? `${type} (${schema.format})` : type;
}

/** "a `b` c\n\nd" -> [[{ text: "a " }, { code: "b" }, { text: " c" }], [{ text: "d" }]] */
export function paragraphs(text) {
  return (text ?? '').split('\n\n').filter(Boolean).map((paragraph) => (
    paragraph.split('`').map((part, index) => (index % 2 ? { code: part } : { text: part })).filter(({ code, text: plain }) => code || plain)));
}
