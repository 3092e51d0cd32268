// OpenAI's own client for Node; only OPENAI_BASE_URL and OPENAI_API_KEY say whom it talks to.
import { LONG, MATERIAL, MOST_TOKENS, aText, anObject, byTheSchema, load, serve, theCalls } from './protocol.mjs'

const { default: OpenAI } = await load('openai')
const client = new OpenAI({ maxRetries: 0, timeout: 90_000 })

const asked = (content) => [{ role: 'user', content }]
const tool = (name) => ({ type: 'function', function: MATERIAL[name] })
const chat = (model, content, more) =>
  client.chat.completions.create({ model, messages: asked(content), max_tokens: MOST_TOKENS, ...more })
const contentOf = (answer) => answer.choices[0].message.content
const callsOf = (answer) => answer.choices[0].message.tool_calls ?? []
const called = (answer) => theCalls(callsOf(answer).map((call) => [call.function.name, call.function.arguments]))

async function stream(model, content, more) {
  const parts = []
  for await (const part of await chat(model, content, { stream: true, ...more })) parts.push(part)
  return parts
}

await serve({
  async listed(model) {
    for await (const each of client.models.list()) if (each.id === model) return 'listed'
    return 'not listed'
  },
  async whole(model) {
    const answer = await chat(model, MATERIAL.question)
    return `${aText(contentOf(answer))}, ${answer.usage?.completion_tokens ? 'usage' : 'no usage'}`
  },
  async streamed(model) {
    const parts = await stream(model, MATERIAL.question, { stream_options: { include_usage: true } })
    const text = parts.map((part) => part.choices[0]?.delta?.content ?? '').join('')
    return `${aText(text)}, ${parts.at(-1).usage?.completion_tokens ? 'usage' : 'no usage'}`
  },
  async tools(model) {
    const tools = [tool('look_up')]
    const first = await chat(model, MATERIAL.one_call, { tools })
    const results = callsOf(first).map(({ id }) => ({ role: 'tool', tool_call_id: id, content: MATERIAL.result }))
    const messages = [...asked(MATERIAL.one_call), first.choices[0].message, ...results]
    return `${called(first)}, ${aText(contentOf(await chat(model, '', { messages, tools })))}`
  },
  async 'streamed tools'(model) {
    const calls = []
    for (const part of await stream(model, MATERIAL.one_call, { tools: [tool('look_up')] })) {
      for (const { index, function: given } of part.choices[0]?.delta?.tool_calls ?? []) {
        const [name, text] = calls[index] ?? ['', '']
        calls[index] = [name + (given.name ?? ''), text + (given.arguments ?? '')]
      }
    }
    return theCalls(calls)
  },
  async 'parallel tools'(model) {
    return called(await chat(model, MATERIAL.two_calls, { tools: [tool('look_up'), tool('refund')] }))
  },
  async 'one tool at a time'(model) {
    const tools = [tool('look_up'), tool('refund')]
    return called(await chat(model, MATERIAL.two_calls, { tools, parallel_tool_calls: false }))
  },
  async 'a forced tool'(model) {
    const tool_choice = { type: 'function', function: { name: 'look_up' } }
    return called(await chat(model, MATERIAL.one_call, { tools: [tool('look_up'), tool('refund')], tool_choice }))
  },
  async 'JSON object'(model) {
    return anObject(contentOf(await chat(model, MATERIAL.json, { response_format: { type: 'json_object' } })))
  },
  async 'JSON schema'(model) {
    const json_schema = { name: 'weather', schema: MATERIAL.schema, strict: true }
    return byTheSchema(contentOf(await chat(model, MATERIAL.json, { response_format: { type: 'json_schema', json_schema } })))
  },
  async images(model) {
    const image = { type: 'image_url', image_url: { url: MATERIAL.image } }
    return aText(contentOf(await chat(model, [{ type: 'text', text: MATERIAL.picture }, image])))
  },
  async 'n=2'(model) {
    const { choices } = await chat(model, MATERIAL.question, { n: 2 })
    return `${new Set(choices.filter((each) => each.message.content).map((each) => each.index)).size} texts`
  },
  async logprobs(model) {
    const answer = await chat(model, MATERIAL.question, { logprobs: true, top_logprobs: 2 })
    return answer.choices[0].logprobs?.content?.length ? 'probabilities' : 'no probabilities'
  },
  async 'a long prompt'(model) {
    return aText(contentOf(await chat(model, LONG)))
  },
  async reasoning(model) {
    const { message } = (await chat(model, MATERIAL.question, { reasoning_effort: 'low', max_tokens: 400 })).choices[0]
    return `${message.reasoning ? 'thoughts' : 'no thoughts'}, ${aText(message.content)}`
  },
  async embeddings(model) {
    const { data } = await client.embeddings.create({ model, input: MATERIAL.texts })
    return data.every((each) => each.embedding.length > 1) ? `${data.length} vectors` : 'no vectors'
  },
  async responses(model) {
    const answer = await client.responses.create({ model, input: MATERIAL.question, max_output_tokens: 400 })
    return aText(answer.output_text)
  },
  async 'hang-up'(model) {
    for await (const _ of await chat(model, MATERIAL.question, { stream: true })) break
    return `${aText(contentOf(await chat(model, MATERIAL.question)))} after it`
  },
  async 'unknown model'() {
    return aText(contentOf(await chat(MATERIAL.nobody, MATERIAL.question)))
  },
  async 'wrong key'(model) {
    const other = new OpenAI({ apiKey: MATERIAL.wrong_key, maxRetries: 0 })
    return aText(contentOf(await other.chat.completions.create({ model, messages: asked(MATERIAL.question) })))
  },
})
