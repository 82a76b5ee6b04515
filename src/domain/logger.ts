/** What parts may say of themselves; never anything recorded: it is hostile and may be secret. */

export interface Logger {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** A logger that says nothing, for tests and one-off commands. */
export const silent: Logger = { info() {}, warn() {}, error() {} };
