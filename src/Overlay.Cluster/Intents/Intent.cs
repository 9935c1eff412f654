using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// Every change an operator or a node can ask for, computed against one state into a transaction for the log, or
/// refused. Nothing changes here: the caller proposes the transaction and applies it when it is committed.
/// </summary>
/// <param name="state">What the transaction will be applied to.</param>
/// <param name="requestId">
/// The same for a repetition of the same request, so that it is applied once; empty: not deduplicated. Ask
/// <see cref="Store.VersionOfRequest"/> first: <see cref="ClusterState.ChangedAt"/> answers a repeated request.
/// </param>
/// <param name="unixMs">The proposer's wall clock.</param>
public sealed class Intent(ClusterState state, string requestId, long unixMs)
{
    public Outcome<Proposal<ClusterObject>> Bootstrap(BootstrapSpec spec) =>
        RequestFault() is { } fault ? fault : ClusterChanges.Bootstrap(state, spec, NewDraft());

    /// <param name="role">Whose join secret.</param>
    /// <param name="secret">16 bytes.</param>
    public Outcome<Proposal<ClusterObject>> RotateSecret(NodeRole role, ReadOnlySpan<byte> secret) =>
        Fault() is { } fault ? fault : ClusterChanges.RotateSecret(state, role, secret, NewDraft());

    /// <summary>
    /// Every node is to get this key of gossip, and later to seal with it; see <see cref="KeyRotation"/>. Refused while
    /// another one is on its way, unless that is to be replaced because a node was removed.
    /// </summary>
    /// <param name="key">32 bytes.</param>
    /// <param name="reason">A few words for people.</param>
    public Outcome<Proposal<ClusterObject>> BeginKeyRotation(ReadOnlySpan<byte> key, string reason) =>
        Fault() is { } fault ? fault : GossipKeyChanges.Begin(state, key, reason, NewDraft());

    /// <summary>The key that is on its way seals from now on. Changes nothing where none is.</summary>
    public Outcome<Proposal<ClusterObject>> UseNewKey() =>
        Fault() is { } fault ? fault : GossipKeyChanges.Use(state, NewDraft());

    /// <summary>The rotation is over; what it revoked goes. Changes nothing where the new key does not seal.</summary>
    public Outcome<Proposal<ClusterObject>> FinishKeyRotation() =>
        Fault() is { } fault ? fault : GossipKeyChanges.Finish(state, NewDraft());

    /// <summary>These keys instead, the sealing one first; those that stay keep their epoch.</summary>
    /// <param name="keys">1 to <see cref="Limits.GossipKeys"/>, each 32 bytes.</param>
    public Outcome<Proposal<ClusterObject>> SetGossipKeys(IReadOnlyList<byte[]> keys) =>
        Fault() is { } fault ? fault : GossipKeyChanges.Set(state, keys, NewDraft());

    /// <summary>Another root, whose key signs from now on; refused while one is on its way.</summary>
    /// <param name="certificate">X.509 DER.</param>
    /// <param name="key">PKCS#8.</param>
    /// <param name="cross">X.509 DER: the new root's name and key, signed by the root in force.</param>
    public Outcome<Proposal<ClusterObject>> BeginCaRotation(
        ReadOnlySpan<byte> certificate, ReadOnlySpan<byte> key, ReadOnlySpan<byte> cross) =>
        Fault() is { } fault ? fault : CaChanges.Begin(state, certificate, key, cross, NewDraft());

    /// <summary>
    /// The new root takes the old one's place, once every node has a certificate of its key. Changes nothing before.
    /// </summary>
    public Outcome<Proposal<ClusterObject>> FinishCaRotation() =>
        Fault() is { } fault ? fault : CaChanges.Finish(state, NewDraft());

    /// <summary>Adds the node and leases it a block of every network that has plenty.</summary>
    public Outcome<Proposal<NodeObject>> AddNode(NodeObject node) =>
        Fault() is { } fault ? fault : NodeChanges.Add(state, node, NewDraft());

    /// <summary>What the node says of itself changed; its role, labels and time of joining stay.</summary>
    public Outcome<Proposal<NodeObject>> UpdateNode(NodeObject description) =>
        Fault() is { } fault ? fault : NodeChanges.Update(state, description, NewDraft());

    /// <summary>
    /// Removes the node; its leases and addresses rest until quarantine has passed, and the gossip keys it knows are to be
    /// replaced.
    /// </summary>
    /// <param name="node">Id, host name, or the beginning of an id.</param>
    /// <param name="force">Also if it is alive, or a manager.</param>
    /// <param name="alive">What the membership says of it now.</param>
    public Outcome<Proposal<NodeObject>> RemoveNode(string node, bool force, bool alive = false) =>
        Fault() is { } fault ? fault : NodeChanges.Remove(state, node, force, alive, NewDraft());

    /// <summary>Creates the network and leases every node a block of it while there are plenty.</summary>
    public Outcome<Proposal<NetworkObject>> CreateNetwork(NetworkSpec spec) =>
        Fault() is { } fault ? fault : NetworkChanges.Create(state, spec, NewDraft());

    /// <summary>
    /// Removes the network with its leases and reservations. Whether it is in use is the caller's to know.
    /// </summary>
    /// <param name="network">Id, name, or the beginning of an id.</param>
    public Outcome<Proposal<NetworkObject>> RemoveNetwork(string network) =>
        Fault() is { } fault ? fault : NetworkChanges.Remove(state, network, NewDraft());

    /// <summary>Another block of addresses for a node.</summary>
    public Outcome<Proposal<LeaseObject>> LeaseBlock(string networkId, uint segment, bool ipv6, string nodeId) =>
        Fault() is { } fault ? fault : AddressChanges.Lease(state, networkId, segment, ipv6, nodeId, NewDraft());

    /// <summary>One address outside every block, for one endpoint of a node.</summary>
    public Outcome<Proposal<ReservationObject>> ReserveAddress(
        string networkId, string address, string nodeId, string endpointId) =>
        Fault() is { } fault
            ? fault
            : AddressChanges.Reserve(state, networkId, address, nodeId, endpointId, NewDraft());

    /// <param name="endpointId">
    /// Which had it; nothing changes where another endpoint of the node has it by now. Empty: whichever has it.
    /// </param>
    public Outcome<Proposal<ReservationObject>> ReleaseAddress(
        string networkId, string address, string nodeId, string endpointId = "") =>
        Fault() is { } fault ? fault : AddressChanges.Release(state, networkId, address, nodeId, endpointId, NewDraft());

    /// <summary>Forgets the leases and reservations that have rested long enough; often without any action.</summary>
    public Transaction SweepQuarantine() => AddressChanges.Sweep(state, NewDraft());

    private Draft NewDraft() => new(requestId, unixMs);

    private Refusal? Fault() => state.Cluster is null
        ? new Refusal(
            RefusalKind.NotInCluster,
            "There is no cluster yet.",
            "This manager's store is empty.",
            "Type `overlayd init` to make a cluster, or `overlayd join` to enter one.")
        : RequestFault();

    private Refusal? RequestFault() => requestId.Length > Limits.RequestIdCharacters
        ? new Refusal(
            RefusalKind.Invalid,
            "The request was not accepted.",
            $"Its request id has {requestId.Length} characters; at most {Limits.RequestIdCharacters} are kept.",
            "Send a shorter request id, for example a UUID.")
        : null;
}
