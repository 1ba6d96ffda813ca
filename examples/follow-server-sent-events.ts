// How do I follow server-sent events over broken connections, without losing one?
import { createServer } from "node:http";
import { TryAgainError } from "undaunted";
import { type Opening, retryIterable } from "undaunted/iterable";

const server = createServer((request, response) => {
  const id = Number(request.headers["last-event-id"] ?? 0);
  response.write(`retry: 5\n\nid: ${id + 1}\ndata: a\n\nid: ${id + 2}\ndata: b\n\n`);
  response.end();
});
await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;

async function* connect({ last, signal }: Opening<Record<string, string>>) {
  let [text, after] = ["", undefined as number | undefined]; // what is not read yet; ms that the server asks for
  try {
    const { body } = await fetch(url, { signal, headers: { "last-event-id": last?.id ?? "0" } });
    for await (const chunk of body!.pipeThrough(new TextDecoderStream() as never) as never as AsyncIterable<string>) {
      const blocks = (text + chunk).split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const event = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s)));
        if (event.retry) after = Number(event.retry);
        else yield event as Record<string, string>;
      }
    }
  } catch {} // cut or ended
  throw new TryAgainError({ after });
}
for await (const { id, data } of retryIterable(connect)) {
  console.log(id, data);
  if (id === "3") break;
}
server.close();

// prints:
// 1 a
// 2 b
// 3 a
