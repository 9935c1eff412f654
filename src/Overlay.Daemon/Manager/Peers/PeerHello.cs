using System.Globalization;
using System.Net;
using Grpc.Core;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>How members introduce themselves, and what is refused.</summary>
internal static class PeerHello
{
    public const uint Protocol = 1;
    private const int MaxAddress = 64;
    private const string EpochTrailer = "overlayd-epoch";

    public static RaftHello To(MemberId member, PeerSelf self, RaftLane lane) => new()
    {
        Protocol = Protocol,
        ClusterId = self.ClusterId,
        From = self.Member.Value,
        To = member.Value,
        Epoch = self.Epoch,
        Lane = lane,
        Address = self.Address,
    };

    /// <summary>Where the caller says it is; empty: it does not, or it cannot be read.</summary>
    public static string AddressIn(RaftHello hello) =>
        hello.Address.Length <= MaxAddress && IPEndPoint.TryParse(hello.Address, out IPEndPoint? address) && address.Port != 0
            ? address.ToString()
            : "";

    /// <summary>Goes with every refusal, so that a caller of an earlier epoch learns that it is superseded.</summary>
    public static Metadata Trailers(PeerSelf self) => new() { { EpochTrailer, self.Epoch.ToString(CultureInfo.InvariantCulture) } };

    /// <summary>The epoch of a peer that refused; 0: it did not say.</summary>
    public static ulong EpochIn(Metadata trailers) =>
        ulong.TryParse(trailers.FirstOrDefault(static e => e.Key == EpochTrailer)?.Value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong epoch)
            ? epoch
            : 0;

    /// <summary>Why a caller is not served; null: it is who it says and means this manager.</summary>
    /// <param name="caller">As its certificate says.</param>
    public static Status? Fault(RaftHello? hello, PeerPrincipal caller, IPeerJudge receiver)
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
            _ when hello.Epoch < self.Epoch => new(StatusCode.PermissionDenied, string.Create(
                CultureInfo.InvariantCulture,
                $"The caller is superseded: the cluster was begun anew (epoch {self.Epoch}, the caller's is {hello.Epoch}). "
                + $"There type `overlayd leave --force` and join again.")),
            _ when hello.Epoch > self.Epoch => new(StatusCode.FailedPrecondition, string.Create(
                CultureInfo.InvariantCulture,
                $"This manager is superseded: the cluster was begun anew (epoch {hello.Epoch}, this manager's is {self.Epoch}). "
                + $"Here type `overlayd leave --force` and join again.")),
            _ when hello.From == self.Member.Value => new(StatusCode.InvalidArgument, "The caller says that it is this very manager."),
            _ when receiver.FaultOf(new(hello.From), caller.Node) is { } fault => new(StatusCode.PermissionDenied, fault),
            _ when hello.To != self.Member.Value => new(
                StatusCode.FailedPrecondition,
                $"This manager is member {self.Member}, not {new MemberId(hello.To)}: its disk was replaced, or the address is another's."),
            _ => null,
        };
    }
}
