// Sinks of bytes for the video writer: memory that can be rewound, and a stream that cannot.

/** Takes the bytes of a container. */
export interface ByteSink {
  /** Whether bytes may come for a position that was written already (MP4 needs that, unless it is fragmented). */
  readonly seekable: boolean;
  write(chunk: Uint8Array, positionBytes: number): void | Promise<void>;
}

/** A file in memory that grows by doubling. */
export interface MemorySink extends ByteSink {
  /** What was written so far; a view, valid until the next write. */
  bytes(): Uint8Array<ArrayBuffer>;
}

export function createMemorySink(): MemorySink {
  let memory = new Uint8Array(1 << 16);
  let length = 0;
  return {
    seekable: true,
    write(chunk, positionBytes) {
      const end = positionBytes + chunk.length;
      if (end > memory.length) {
        const grown = new Uint8Array(Math.max(end, memory.length * 2));
        grown.set(memory.subarray(0, length));
        memory = grown;
      }
      memory.set(chunk, positionBytes);
      length = Math.max(length, end);
    },
    bytes: () => memory.subarray(0, length),
  };
}

/** Hands chunks on as they come, for an HTTP response or a pipe. Containers that rewind (plain MP4) cannot go there. */
export function createStreamSink(write: (chunk: Uint8Array) => void | Promise<void>): ByteSink {
  return { seekable: false, write: (chunk) => write(chunk) };
}
