/** No webhook leads anybody into our own network, whatever a URL says or a name resolves to. */
import { expect } from 'chai'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as openTcp } from 'node:net'
import { isPublicAddress } from '../services/webhooks/addresses.ts'
import { openPoster, type Resolve } from '../services/webhooks/post.ts'
import { targetOf } from '../services/webhooks/targets.ts'
import { world } from './support/world.ts'

const INTERNAL: Readonly<Record<string, readonly string[]>> = {
  'this host': ['0.0.0.0', '0.1.2.3', '127.0.0.1', '127.255.255.254', '::', '::1'],
  'private networks': ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1'],
  'carriers’ networks': ['100.64.0.1', '100.127.255.255'],
  'metadata of clouds': ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254', '100.100.100.200'],
  'link-local': ['169.254.0.1', 'fe80::1', 'febf::1', 'fec0::1'],
  'multicast and broadcast': ['224.0.0.1', '239.255.255.250', '255.255.255.255', 'ff02::1'],
  reserved: ['192.0.0.1', '198.18.0.1', '198.19.255.255', '240.0.0.1', '192.88.99.1'],
  documentation: ['192.0.2.1', '198.51.100.7', '203.0.113.9', '2001:db8::1', '3fff::1'],
  'IPv4 in IPv6': ['::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '::ffff:0:127.0.0.1'],
  'NAT64, 6to4 and Teredo': ['64:ff9b::7f00:1', '64:ff9b:1::a00:1', '2002:7f00:1::', '2001::1'],
  'no addresses': ['', 'localhost', '127.1', '2130706433', '0x7f.1', '1.2.3.4.5', '[::1]'],
}

const PUBLIC = [
  ...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.1', '100.63.255.255', '100.128.0.1'],
  ...['126.255.255.255', '128.0.0.1', '169.253.1.1', '172.15.1.1', '172.32.0.1', '192.167.1.1'],
  ...['198.17.255.255', '198.20.0.1', '223.255.255.255', '2606:4700::1111', '2a00:1450::8a'],
]

/** What `new URL` makes of all of these is an address, or a name, that leads inside. */
const REFUSED_URLS = [
  ...['https://127.0.0.1/', 'https://0x7f.1/', 'https://2130706433/', 'https://127.1/'],
  ...['https://①②⑦.0.0.1/', 'https://localhost/', 'https://localhost./', 'https://[::1]/'],
  ...['https://[::ffff:7f00:1]/', 'https://169.254.169.254/latest/meta-data/', 'https://0/'],
  ...['https://017700000001/', 'https://a.localhost/', 'https://db.internal/', 'https://db/'],
  ...['https://printer.local/', 'http://example.com/', 'https://example.com:22/', 'ftp://a.b/'],
  ...['https://me@example.com/', 'https://me:it@example.com/', 'file:///etc/passwd', 'no url'],
  ...['https://example.com:80/', `https://example.com/${'a'.repeat(500)}`, 'javascript:alert(1)'],
]

describe('a webhook', () => {
  for (const [what, addresses] of Object.entries(INTERNAL)) {
    it(`is not sent to ${what}`, () => {
      expect(addresses.filter(isPublicAddress)).to.deep.equal([])
    })
  }

  it('is sent to the open internet, up to its edges', () => {
    expect(PUBLIC.filter((address) => !isPublicAddress(address))).to.deep.equal([])
    expect(Object.values(INTERNAL).flat().length + PUBLIC.length).to.be.greaterThan(60)
  })

  it('may not be registered for a URL that leads inside, however written (abuse 41)', async () => {
    const config = await publicConfig()
    for (const url of REFUSED_URLS) {
      expect(() => targetOf(config, url), url)
        .to.throw()
        .with.property('code', 'url_not_allowed')
    }
    for (const url of [
      'https://example.com/hooks?a=1',
      'https://example.com:8443/',
      'https://1.1.1.1/',
    ]) {
      expect(targetOf(config, url)).to.equal(url)
    }
    expect(targetOf(config, 'HTTPS://Example.COM:443/a#b')).to.equal('https://example.com/a')
  })

  it('goes nowhere when a name has become one of ours since (abuse 41)', async () => {
    const inside = await openInside()
    const answers = [['93.184.216.34'], ['127.0.0.1']]
    const asked: string[] = []
    const resolve: Resolve = async (name) => {
      asked.push(name)
      return (answers.shift() ?? []).map((address) => ({ address, family: 4 }))
    }
    const config = { ...(await publicConfig()), WEBHOOK_PORTS: [inside.port] }
    const poster = openPoster({ ...config, WEBHOOK_TIMEOUT_MS: 500 }, resolve)
    const url = `https://rebinding.example:${inside.port}/`
    const post = () => poster.post({ url, headers: {}, body: '{}' })
    // The first answer is the open internet, where nobody of that name answers.
    expect(await post())
      .to.have.property('fault')
      .that.is.oneOf(['timeout', 'unreachable'])
    expect(await post()).to.deep.equal({ fault: 'blocked' })
    expect(asked).to.deep.equal(['rebinding.example', 'rebinding.example'])
    expect(inside.connections()).to.equal(0)
    poster.close()
    await inside.close()
  })

  it('goes nowhere when one of many addresses of a name is ours, or it has none', async () => {
    const mixed: Resolve = async () => [
      { address: '93.184.216.34', family: 4 },
      { address: '::1', family: 6 },
    ]
    const poster = openPoster(await publicConfig(), mixed)
    const message = { url: 'https://mixed.example/', headers: {}, body: '{}' }
    expect(await poster.post(message)).to.deep.equal({ fault: 'blocked' })
    poster.close()
    const nowhere = openPoster(await publicConfig(), async () => [])
    expect(await nowhere.post(message)).to.deep.equal({ fault: 'unreachable' })
    nowhere.close()
  })

  it('goes nowhere by a URL that was allowed once and is not any more', async () => {
    const inside = await openInside()
    const poster = openPoster(await publicConfig())
    for (const url of [`http://127.0.0.1:${inside.port}/`, `https://[::1]:${inside.port}/`]) {
      expect(await poster.post({ url, headers: {}, body: '{}' })).to.deep.equal({
        fault: 'blocked',
      })
    }
    expect(inside.connections()).to.equal(0)
    poster.close()
    await inside.close()
  })

  it('waits for nobody who changes the protocol instead of answering', async () => {
    const switching =
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'
    const server = openTcp((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .write(switching),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { config } = await world()
    const poster = openPoster({ ...config, WEBHOOK_TIMEOUT_MS: 2_000 })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const answer = await poster.post({ url, headers: {}, body: '{}' })
    expect(answer).to.deep.equal({ fault: 'unreachable' })
    poster.close()
    server.close()
    await once(server, 'close')
  })

  async function publicConfig() {
    return { ...(await world()).config, WEBHOOK_TARGETS: 'public' as const }
  }

  async function openInside() {
    let connections = 0
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
    server.on('connection', () => (connections += 1))
    await once(server, 'listening')
    return {
      port: (server.address() as AddressInfo).port,
      connections: () => connections,
      close: async () => {
        server.close()
        await once(server, 'close')
      },
    }
  }
})
