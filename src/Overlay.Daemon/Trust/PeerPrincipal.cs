using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>Who a peer is, as its verified certificate says.</summary>
internal sealed record PeerPrincipal(NodeId Node, NodeRole Role, string ClusterId)
{
    private const string ManagerUnit = "overlayd-manager";
    private const string WorkerUnit = "overlayd-worker";

    public static string UnitOf(NodeRole role) => role == NodeRole.Manager ? ManagerUnit : WorkerUnit;

    public static bool TryParse(X509Certificate2 certificate, [NotNullWhen(true)] out PeerPrincipal? principal)
    {
        string name = "", unit = "", organization = "";
        foreach (X500RelativeDistinguishedName part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (part.HasMultipleElements)
            {
                continue;
            }

            switch (part.GetSingleElementType().Value)
            {
                case "2.5.4.3":
                    name = part.GetSingleElementValue() ?? "";
                    break;
                case "2.5.4.11":
                    unit = part.GetSingleElementValue() ?? "";
                    break;
                case "2.5.4.10":
                    organization = part.GetSingleElementValue() ?? "";
                    break;
            }
        }

        NodeRole role = unit switch
        {
            ManagerUnit => NodeRole.Manager,
            WorkerUnit => NodeRole.Worker,
            _ => NodeRole.Unspecified,
        };
        bool valid = NodeId.TryParse(name, out NodeId node) && role != NodeRole.Unspecified && organization.Length > 0;
        principal = valid ? new(node, role, organization) : null;
        return valid;
    }

    /// <summary>The caller of a method that <see cref="Authorization"/> let pass.</summary>
    public static PeerPrincipal Of(HttpContext context) =>
        context.Features.Get<PeerPrincipal>() ?? throw new InvariantException("an authorized call has a principal");
}
