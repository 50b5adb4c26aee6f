// What the native code is: versions, and the devices that it can use.
import { ffmpegVersion, DeviceAPI } from 'node-av';
import { env, listSupportedBackends } from 'onnxruntime-node';

export interface NativeVersions {
  readonly onnxRuntime: string;
  readonly ffmpeg: string;
  /** Execution providers that come with the package. */
  readonly providers: readonly string[];
}

export function nativeVersions(): NativeVersions {
  return {
    onnxRuntime: env.versions.node ?? env.versions.common,
    ffmpeg: ffmpegVersion(),
    providers: listSupportedBackends()
      .filter(({ bundled }) => bundled)
      .map(({ name }) => name),
  };
}

/** Cameras and capture cards that FFmpeg sees, by the name that `device:` takes. */
export async function captureDevices(): Promise<string[]> {
  const devices = await DeviceAPI.list();
  return devices.filter(({ type }) => type === 'video').map(({ name }) => name);
}
