using System.Globalization;
using Grpc.Core;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>How members introduce themselves, and what is refused.</summary>
internal static class PeerHello
{
    public const uint Protocol = 1;

    public static RaftHello To(MemberId member, PeerSelf self, RaftLane lane) => new()
    {
        Protocol = Protocol,
        ClusterId = self.ClusterId,
        From = self.Member.Value,
        To = member.Value,
        Epoch = self.Epoch,
        Lane = lane,
    };

    /// <summary>Why a caller is not served; null: it is who it says and means this manager.</summary>
    /// <param name="caller">As its certificate says.</param>
    public static Status? Fault(RaftHello? hello, PeerPrincipal caller, IPeerReceiver receiver)
    {
        PeerSelf self = receiver.Self;
        return hello switch
        {
            null => new(StatusCode.InvalidArgument, "The call does not begin with a hello."),
            { Protocol: not Protocol } => new(StatusCode.FailedPrecondition, string.Create(
                CultureInfo.InvariantCulture,
                $"Protocol {hello.Protocol} is not spoken here, {Protocol} is: give all managers the same version of overlayd.")),
            _ when hello.ClusterId != self.ClusterId => new(
                StatusCode.PermissionDenied, $"This manager is of cluster {self.ClusterId}, not of the one that was named."),
            _ when hello.From == self.Member.Value => new(StatusCode.InvalidArgument, "The caller says that it is this very manager."),
            _ when receiver.FaultOf(new(hello.From), caller.Node) is { } fault => new(StatusCode.PermissionDenied, fault),
            _ when hello.Epoch < self.Epoch => new(StatusCode.PermissionDenied, string.Create(
                CultureInfo.InvariantCulture,
                $"The caller is superseded: the cluster was begun anew (epoch {self.Epoch}, the caller's is {hello.Epoch}). "
                + $"There type `overlayd leave --force` and join again.")),
            _ when hello.Epoch > self.Epoch => new(StatusCode.FailedPrecondition, string.Create(
                CultureInfo.InvariantCulture,
                $"This manager is superseded: the cluster was begun anew (epoch {hello.Epoch}, this manager's is {self.Epoch}). "
                + $"Here type `overlayd leave --force` and join again.")),
            _ when hello.To != self.Member.Value => new(
                StatusCode.FailedPrecondition,
                $"This manager is member {self.Member}, not {new MemberId(hello.To)}: its disk was replaced, or the address is another's."),
            _ => null,
        };
    }
}
