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

    /// <summary>The managers' disks are locked from now on; changes nothing where they are.</summary>
    /// <param name="key">32 bytes.</param>
    public Outcome<Proposal<ClusterObject>> Lock(ReadOnlySpan<byte> key) =>
        Fault() is { } fault ? fault : LockChanges.Lock(state, key, NewDraft());

    /// <summary>They open without a key again; changes nothing where they do.</summary>
    public Outcome<Proposal<ClusterObject>> Unlock() =>
        Fault() is { } fault ? fault : LockChanges.Unlock(state, NewDraft());

    /// <summary>Another key locks them; refused where none does.</summary>
    /// <param name="key">32 bytes.</param>
    public Outcome<Proposal<ClusterObject>> RotateUnlockKey(ReadOnlySpan<byte> key) =>
        Fault() is { } fault ? fault : LockChanges.Rotate(state, key, NewDraft());

    /// <summary>A worker takes the place of a manager that is gone for so long; zero: never.</summary>
    public Outcome<Proposal<ClusterObject>> SetReplaceManagers(TimeSpan after) =>
        Fault() is { } fault ? fault : ReplacementChanges.Set(state, after, NewDraft());

    /// <summary>This worker is to be a manager, and to listen at first; refused while another one does.</summary>
    /// <param name="lost">Id of the manager whose place it is to take.</param>
    /// <param name="successor">Its id.</param>
    public Outcome<Proposal<ClusterObject>> BeginReplacement(string lost, string successor) =>
        Fault() is { } fault ? fault : ReplacementChanges.Begin(state, lost, successor, NewDraft());

    /// <summary>The lost one is a worker, and the successor decides along. Changes nothing where none is on its way.</summary>
    public Outcome<Proposal<ClusterObject>> FinishReplacement() =>
        Fault() is { } fault ? fault : ReplacementChanges.Finish(state, NewDraft());

    /// <summary>The successor is a worker again. Changes nothing where none is on its way.</summary>
    public Outcome<Proposal<ClusterObject>> CancelReplacement() =>
        Fault() is { } fault ? fault : ReplacementChanges.Cancel(state, NewDraft());

    /// <summary>
    /// The cluster begins anew with one manager, in the next epoch; all other managers are superseded. Proposed to nobody:
    /// it is what that manager's log goes on from.
    /// </summary>
    /// <param name="manager">Itself, with its id, member id and addresses; it may be new to the cluster.</param>
    public Outcome<Proposal<ClusterObject>> BeginAnew(NodeObject manager) =>
        Fault() is { } fault ? fault : Renewal.Begin(state, manager, NewDraft());

    /// <summary>Adds the node and leases it a block of every network that has plenty.</summary>
    public Outcome<Proposal<NodeObject>> AddNode(NodeObject node) =>
        Fault() is { } fault ? fault : NodeChanges.Add(state, node, NewDraft());

    /// <summary>What the node says of itself changed; its role, labels and time of joining stay.</summary>
    public Outcome<Proposal<NodeObject>> UpdateNode(NodeObject description) =>
        Fault() is { } fault ? fault : NodeChanges.Update(state, description, NewDraft());

    /// <summary>
    /// The node is to be a manager, or no longer. It becomes so when its agent has heard of it; changes nothing where it is.
    /// </summary>
    /// <param name="node">Id, host name, or the beginning of an id.</param>
    public Outcome<Proposal<NodeObject>> SetRole(string node, NodeRole role) =>
        Fault() is { } fault ? fault : RoleChanges.Set(state, node, role, NewDraft());

    /// <summary>What an operator says of a node. Changes nothing where it is so.</summary>
    /// <param name="node">Id, host name, or the beginning of an id.</param>
    public Outcome<Proposal<NodeObject>> EditNode(string node, NodeEdit edit) =>
        Fault() is { } fault ? fault : NodeEdits.Apply(state, node, edit, NewDraft());

    /// <summary>Every node has acknowledged that drain. Changes nothing where it is over, or known to be acknowledged.</summary>
    /// <param name="drain">Its <see cref="NodeObject.AvailabilityUnixMs"/>.</param>
    public Outcome<Proposal<NodeObject>> ConfirmDrain(string nodeId, long drain) =>
        Fault() is { } fault ? fault : NodeEdits.ConfirmDrain(state, nodeId, drain, NewDraft());

    /// <summary>The managers go on without this member of a node that was demoted. Changes nothing where it is none.</summary>
    public Outcome<Proposal<NodeObject>> ReleaseMember(string nodeId, ulong member) =>
        Fault() is { } fault ? fault : RoleChanges.Release(state, nodeId, member, NewDraft());

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

    /// <summary>Creates the service; endpoints become its backends as their nodes say so.</summary>
    public Outcome<Proposal<ServiceObject>> CreateService(ServiceSpec spec) =>
        Fault() is { } fault ? fault : ServiceChanges.Create(state, spec, NewDraft());

    /// <param name="service">Id, name, or the beginning of an id.</param>
    public Outcome<Proposal<ServiceObject>> EditService(string service, ServiceEdit edit) =>
        Fault() is { } fault ? fault : ServiceEdits.Apply(state, service, edit, NewDraft());

    /// <summary>Removes the service. Its backends go on; they lose its name.</summary>
    /// <param name="service">Id, name, or the beginning of an id.</param>
    public Outcome<Proposal<ServiceObject>> RemoveService(string service) =>
        Fault() is { } fault ? fault : ServiceChanges.Remove(state, service, NewDraft());

    /// <summary>
    /// Removes the network with its leases and reservations; refused while it has services. Whether it has endpoints is the
    /// caller's to know.
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
