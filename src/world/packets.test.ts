// What a captured packet begins; bytes as in RFC 791, 793, 768, 8200 and the pcap format's page.
import { describe, expect, it } from 'vitest';
import { type Attempt, attemptOf, CaptureReader, ipv6Text } from './packets.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
const ethernet4 = '020000000001 020000000002 0800';
const ethernet6 = '020000000001 020000000002 86dd';
const ipv4 = (protocol: string, length = '003c', fragment = '4000') =>
  `45 00 ${length} 1c46 ${fragment} 40 ${protocol} 0000 c6120002 01020304`;
const tcp = (flags: string) => `c350 01bb 00000001 00000000 a0${flags} ffff 0000 0000`;
const app6 = 'fd000198000000000000000000000002';
const there6 = '20010db8000000000000000000000001';

describe('what a packet begins', () => {
  it('is a connection for SYN without ACK', () => {
    expect(attemptOf(hex(ethernet4 + ipv4('06') + tcp('02')))).toEqual({
      transport: 'tcp',
      from: { address: '198.18.0.2', port: 50000 },
      to: { address: '1.2.3.4', port: 443 },
      ipProtocol: 6,
      payloadBytes: 0,
    });
    for (const goesOn of ['10', '18', '12', '11', '04']) {
      expect(attemptOf(hex(ethernet4 + ipv4('06') + tcp(goesOn)))).toBeNull();
    }
  });

  it('is a datagram with its size', () => {
    const datagram = `${ethernet4 + ipv4('11', '0021')}c350 0035 000d 0000 0102030405`;
    expect(attemptOf(hex(datagram))).toMatchObject({ transport: 'udp', payloadBytes: 5 });
  });

  it('is the same over IPv6', () => {
    const head = (next: string) => `60000000 0014 ${next} 40 ${app6} ${there6}`;
    expect(attemptOf(hex(ethernet6 + head('06') + tcp('02')))).toMatchObject({
      transport: 'tcp',
      from: { address: 'fd00:198::2' },
      to: { address: '2001:db8::1', port: 443 },
    });
    expect(attemptOf(hex(`${ethernet6}${head('3a')}8700000000000000`))).toBeNull();
    expect(attemptOf(hex(`${ethernet6}${head('3a')}8000000000000000`))).toMatchObject({
      transport: 'other',
      ipProtocol: 58,
    });
  });

  it('is nothing for ARP, later fragments, the cut and the empty', () => {
    expect(attemptOf(hex('020000000001 020000000002 0806 0001'))).toBeNull();
    expect(attemptOf(hex(`${ethernet4 + ipv4('11', '0021', '0010')}0102`))).toBeNull();
    const whole = hex(ethernet4 + ipv4('06') + tcp('02'));
    for (let length = 0; length < 34 + 14; length++) {
      expect(attemptOf(whole.subarray(0, length))).toBeNull();
    }
  });
});

it('reads a capture in either byte order, cut anywhere', () => {
  const packet = hex(ethernet4 + ipv4('06') + tcp('02'));
  for (const bigEndian of [false, true]) {
    const head = Buffer.alloc(24);
    const each = Buffer.alloc(16);
    const write = (buffer: Buffer, value: number, at: number) =>
      bigEndian ? buffer.writeUInt32BE(value, at) : buffer.writeUInt32LE(value, at);
    write(head, 0xa1b2c3d4, 0);
    write(each, packet.length, 8);
    const capture = Buffer.concat([head, each, packet, each, packet]);
    for (const size of [1, 7, 24, 41, 500]) {
      const found: Attempt[] = [];
      const reader = new CaptureReader((attempt) => found.push(attempt));
      for (let at = 0; at < capture.length; at += size) {
        reader.push(capture.subarray(at, at + size));
      }
      expect(found.map((attempt) => attempt.to.port)).toEqual([443, 443]);
    }
  }
});

it('writes IPv6 addresses as RFC 5952 says', () => {
  const texts: [string, string][] = [
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000100010001000100010001', '2001:db8:1:1:1:1:1:1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['fe800000000000000000000000000000', 'fe80::'],
  ];
  for (const [bytes, text] of texts) expect(ipv6Text(hex(bytes))).toBe(text);
});
