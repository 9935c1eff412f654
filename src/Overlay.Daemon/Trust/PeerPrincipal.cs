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

    private const string CommonName = "2.5.4.3";
    private const string Organization = "2.5.4.10";
    private const string OrganizationalUnit = "2.5.4.11";

    public static string UnitOf(NodeRole role) => role == NodeRole.Manager ? ManagerUnit : WorkerUnit;

    public static bool TryParse(X509Certificate2 certificate, [NotNullWhen(true)] out PeerPrincipal? principal)
    {
        string organization = OrganizationOf(certificate);
        string unit = PartOf(certificate, OrganizationalUnit);
        NodeRole role = unit switch
        {
            ManagerUnit => NodeRole.Manager,
            WorkerUnit => NodeRole.Worker,
            _ => NodeRole.Unspecified,
        };
        bool valid = NodeId.TryParse(PartOf(certificate, CommonName), out NodeId node) && role != NodeRole.Unspecified && organization.Length > 0;
        principal = valid ? new(node, role, organization) : null;
        return valid;
    }

    /// <summary>The cluster that a certificate, a node's or a root, says it is of; empty: it does not say.</summary>
    public static string OrganizationOf(X509Certificate2 certificate) => PartOf(certificate, Organization);

    /// <summary>The caller of a method that <see cref="Authorization"/> let pass.</summary>
    public static PeerPrincipal Of(HttpContext context) =>
        context.Features.Get<PeerPrincipal>() ?? throw new InvariantException("an authorized call has a principal");

    /// <summary>The one value of an attribute; empty if it is missing, or there more than once and so ambiguous.</summary>
    private static string PartOf(X509Certificate2 certificate, string type)
    {
        string[] values =
        [
            .. certificate.SubjectName.EnumerateRelativeDistinguishedNames()
                .Where(part => !part.HasMultipleElements && part.GetSingleElementType().Value == type)
                .Select(static part => part.GetSingleElementValue() ?? ""),
        ];
        return values is [string only] ? only : "";
    }
}
