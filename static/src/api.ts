// The server's JSON API, as far as the lab page uses it.

import type { State, Status } from "./protocol.ts";

export interface RackInfo {
  id: string;
  lab: string;
  owner: string;
  role: "owner" | "viewer";
  status: Status;
  stream: string; // path of the websocket
  state?: State | null;
}

export class APIError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export async function request<T>(method: "GET" | "POST" | "DELETE", path: string): Promise<T> {
  let r: Response;
  try {
    r = await fetch(path, { method, headers: { Accept: "application/json" }, redirect: "error" });
  } catch {
    throw new APIError("The server cannot be reached. Are you online?", 0);
  }
  if (r.status === 204) return undefined as T;
  const body: unknown = await r.json().catch(() => null);
  if (!r.ok) {
    const said = (body as { error?: unknown } | null)?.error;
    throw new APIError(typeof said === "string" ? said : `The server answered ${r.status}.`, r.status);
  }
  return body as T;
}
