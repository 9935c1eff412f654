using System.Collections.Immutable;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Gossip;
using Overlay.Node;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>Performs what the node asks for. No method may block: each starts work or hands it to its owner.</summary>
internal interface INodeEffectsHandler
{
    void Persist(long revision, LocalState state);

    void Dial(StreamDial dial);

    void Reply(in StreamReply reply);

    /// <summary>A peer answered a probe after that time.</summary>
    void Probed(TimeSpan roundTrip);

    void Ask(ManagerRequest request);

    void Reconcile(long revision, DataplaneInputs inputs);

    void PublishZones(ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> zones);

    /// <summary>The session with the manager leads nowhere: end it and try another one.</summary>
    void AbandonSession();

    /// <summary>Tells the managers, until one has heard it or the node is drained no longer.</summary>
    void ConfirmDrain(long drain);

    /// <summary>Ask a backend here, and answer by <see cref="HealthToldInput"/>.</summary>
    void Ask(HealthProbe probe);

    void Complete(Completion completion);

    void Publish(NodeEvent happened);
}
