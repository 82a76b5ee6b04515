/** The part of dns-packet that is used here: the package brings no types of its own. */
declare module 'dns-packet' {
  export interface Question {
    name: string;
    type: string;
    class: string;
  }
  export interface Answer {
    name: string;
    type: string;
    ttl?: number;
    class?: string;
    data?: unknown;
  }
  export interface Packet {
    id: number;
    type: 'query' | 'response';
    flags: number;
    opcode?: string;
    rcode?: string;
    questions: Question[];
    answers: Answer[];
    authorities: Answer[];
    additionals: Answer[];
  }
  export const RECURSION_DESIRED: number;
  export const RECURSION_AVAILABLE: number;
  const packet: {
    decode(bytes: Uint8Array): Packet;
    encode(packet: Partial<Packet>): Buffer;
  };
  export default packet;
}
