// A session as one of its agents sees it.

import type { Agent } from "./agent.js";
import type { CallOptions } from "./caller.js";
import type { Event, Gap } from "./event.js";
import type {
  Channel,
  ChannelCreateInput,
  ChannelHistoryInput,
  ChannelPostInput,
  Connected,
  Decision,
  HistoryPage,
  Joined,
  Message,
  SessionGetInput,
  SessionInviteInput,
  SessionPatchStateInput,
  SessionRecordDecisionInput,
  SessionView,
  SharedState,
  Session as Started,
} from "./generated/types.js";
import type { AgentInput, Answer, Arguments, OperationName } from "./operation.js";
import type { SubscribeOptions, Subscription } from "./subscription.js";

type Within<T> = Partial<Omit<T, "session_id" | "agent_id">>;

/**
 * One session, for one agent; made by `agent.session` and `agent.startSession`.
 *
 * ```js
 * const session = await ana.startSession(["bob"], { name: "API" });
 * await session.post("Shall we begin?");
 * await session.patchState({ step: 1 });
 * ```
 */
export class AgentSession implements AsyncDisposable {
  /** Whose view this is. */
  readonly agent: Agent;
  /** Its id. */
  readonly session_id: string;
  #client: string | undefined;

  /** Made by `agent.session`. */
  constructor(agent: Agent, sessionId: string) {
    this.agent = agent;
    this.session_id = sessionId;
  }

  /** Runs an operation as the agent, in this session. */
  call<N extends OperationName>(
    name: N,
    input: Partial<AgentInput<N>> = {},
    options?: CallOptions,
  ): Promise<Answer<N>> {
    const given = [{ session_id: this.session_id, ...input }, options];
    return this.agent.call(name, ...(given as unknown as Arguments<AgentInput<N>>));
  }

  /** Joins; answers the session, its channels and its state as they stand at `position`. */
  join(role?: string): Promise<Joined> {
    return this.call("session.join", { role });
  }

  /** Leaves, or declines an invitation. */
  leave(): Promise<Started> {
    return this.call("session.leave");
  }

  /** Invites agents, as ids or as `{ agent_id, role }`. */
  invite(...invitees: SessionInviteInput["invitees"]): Promise<Started> {
    return this.call("session.invite", { invitees });
  }

  /** Ends the session. */
  end(outcome?: unknown): Promise<Started> {
    return this.call("session.end", { outcome });
  }

  /** The session with its participants, channels, decisions and newest messages. */
  get(options: Within<SessionGetInput> = {}): Promise<SessionView> {
    return this.call("session.get", options);
  }

  /** Posts a message to a channel: a text to `general` unless the options say otherwise. */
  post(content: string, options: Within<ChannelPostInput> = {}): Promise<Message> {
    return this.call("channel.post", { channel: "general", message_type: "text", content, ...options });
  }

  /** What was said in a channel: the newest messages, or those `after` a `seq`. */
  history(channel = "general", options: Within<ChannelHistoryInput> = {}): Promise<HistoryPage> {
    return this.call("channel.history", { channel, ...options });
  }

  /** Makes a channel: one for everybody unless the options say otherwise. */
  createChannel(channel: string, options: Within<ChannelCreateInput> = {}): Promise<Channel> {
    return this.call("channel.create", { channel, type: "broadcast", ...options });
  }

  /** The shared state with its version. */
  state(): Promise<SharedState> {
    return this.call("session.get_state");
  }

  /** Changes the shared state by a merge patch (an object) or a JSON patch (an array of operations). */
  patchState(patch: unknown, options: Within<SessionPatchStateInput> = {}): Promise<SharedState> {
    return this.call("session.patch_state", { patch, ...options });
  }

  /** Records what was decided, and why. */
  recordDecision(
    decision: string,
    rationale?: string,
    options: Within<SessionRecordDecisionInput> = {},
  ): Promise<Decision> {
    return this.call("session.record_decision", { decision, rationale, ...options });
  }

  /** Listens to what happens in the session; filters as `hub.subscribe` does. */
  subscribe<K extends string = string>(options: SubscribeOptions<K> = {}): Subscription<Event<K> | Gap> {
    return this.agent.subscribe<K>({ ...options, session_id: this.session_id });
  }

  /** Takes one of the places for clients; this process keeps it until `disconnect`. */
  async connect(): Promise<Connected> {
    const connected = await this.call("session.connect", { client_id: this.#client });
    this.#client = connected.client_id;
    return connected;
  }

  /** Gives the place back. */
  async disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined && !this.agent.hub.closed)
      await this.call("session.disconnect", { client_id: client });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }
}
