/** All that a phone needs to agree to something: WebCrypto only, for browsers and Node. */
export { ACTIONS, digestOf, textOf } from './act.js'
export { newDeviceKey, provePossession, publicJwk, signApproval, thumbprintOf } from './device.js'
export { encryptPin } from './pin.js'
