// Hands a stream of bytes to FFmpeg over the loopback, where a read that waits can be interrupted.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';

/*
 * FFmpeg can also call JavaScript for its bytes. But then a native thread waits for an answer that never comes once the process is exiting, and the
 * process hangs: `camera | program`, stopped while the camera is silent.
 */

export interface ByteServer extends AsyncDisposable {
  /** Where FFmpeg reads the stream, once. Nobody else can guess it. */
  readonly address: string;
  /** What the stream failed with, if it did. */
  failure(): Error | undefined;
}

export async function serveBytes(readable: Readable): Promise<ByteServer> {
  const path = `/${randomBytes(24).toString('hex')}`;
  let failed: Error | undefined;
  readable.once('error', (error) => (failed = error));
  let served = false;
  const server = createServer((request, response) => {
    if (request.url !== path || served) {
      response.writeHead(404).end();
      return;
    }
    served = true;
    response.writeHead(200, { connection: 'close' });
    // A failure of the stream cuts the connection; an end completes it.
    readable.once('error', () => response.destroy());
    response.once('error', () => undefined);
    if (failed === undefined) readable.pipe(response);
    else response.destroy();
    response.once('close', () => readable.unpipe(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    failure: () => failed,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      readable.destroy();
    },
  };
}
