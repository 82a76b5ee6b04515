/** The seam to the proxy that users' requests come in through. */

/** A host name and the instances that answer for it. */
export interface Route {
  host: string;
  targets: { address: string; port: number }[];
}

export interface Router {
  /** Starts it; throws an error naming the port and the setting when the port is in use. */
  start(): Promise<void>;
  /**
   * Replaces all routes without failing a request: open requests finish where they are.
   * Resolves once new requests go the new way; rejects and changes nothing when refused.
   */
  apply(routes: Route[]): Promise<void>;
  stop(): Promise<void>;
}
