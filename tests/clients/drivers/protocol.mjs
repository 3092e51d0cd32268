// What the drivers for Node share; see protocol.py. The packages are looked up in the folder that the command names.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const find = createRequire(process.argv[2] + '/')
export const load = (name) => import(pathToFileURL(find.resolve(name)))
export const MATERIAL = JSON.parse(readFileSync(new URL('material.json', import.meta.url)))
export const LONG = MATERIAL.long.word.repeat(MATERIAL.long.times)
export const MOST_TOKENS = 40

const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n')

export async function serve(scenarios) {
  say({ loaded: true })
  for await (const line of createInterface({ input: process.stdin })) {
    const { scenario, model } = JSON.parse(line)
    let seen
    try {
      seen = await scenarios[scenario](model)
    } catch (err) {
      console.error(err)
      seen = refusal(err)
    }
    say({ seen })
  }
}

export const aText = (text) => (text?.trim() ? 'text' : `no text: ${JSON.stringify(text)}`)

export function theCalls(calls) {
  const found = calls.map(([name, given]) => [name, typeof given === 'string' ? JSON.parse(given) : given])
  const wrong = found.filter(([, given]) => !given?.order).map(([name, given]) => `${name}(${JSON.stringify(given)})`)
  if (wrong.length) return `wrong arguments: ${wrong.join(', ')}`
  return found.map(([name]) => name).sort().join(' ') || 'no call'
}

export function anObject(answer) {
  const found = value(answer)
  return found && typeof found === 'object' && !Array.isArray(found) ? 'an object' : `no object: ${answer}`
}

export function byTheSchema(answer) {
  const found = value(answer)
  const keeps =
    found && Object.keys(found).sort().join() === 'city,degrees' &&
    typeof found.city === 'string' && Number.isInteger(found.degrees)
  return keeps ? 'by the schema' : `not by the schema: ${JSON.stringify(answer)}`
}

function value(answer) {
  try {
    return typeof answer === 'string' ? JSON.parse(answer) : answer
  } catch {
    return undefined
  }
}

// Status and code of what the gateway refused, from whichever error of the chain has them.
function refusal(err) {
  for (let found = err; found; found = found.cause ?? found.lastError) {
    const status = found.status ?? found.statusCode
    if (status !== undefined) return `${status} ${found.code ?? found.data?.error?.code ?? value(found.responseBody)?.error?.code}`
  }
  return `${err.name}: ${err.message}`
}
