using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Grpc.Core;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server;

/// <summary>Who the client of a connection is, as far as the socket and TLS know.</summary>
internal static class PeerName
{
    private const string CommonName = "x509_common_name";
    private const string AlternativeName = "x509_subject_alternative_name";

    /// <summary>The address in gRPC's name syntax.</summary>
    public static string Of(HttpContext http)
    {
        if (http.Connection.RemoteIpAddress is { } address)
        {
            return address.AddressFamily == AddressFamily.InterNetworkV6
                ? $"ipv6:[{address}]:{http.Connection.RemotePort}"
                : $"ipv4:{address}:{http.Connection.RemotePort}";
        }

        // A client of a Unix socket has no name of its own; the socket's is the useful one.
        EndPoint? local = http.Features.Get<IConnectionSocketFeature>()?.Socket.LocalEndPoint;
        return local is UnixDomainSocketEndPoint socket ? $"unix:{socket}" : "unknown:";
    }

    public static AuthContext Authenticate(X509Certificate2? certificate)
    {
        Dictionary<string, List<AuthProperty>> properties = new(StringComparer.Ordinal);
        if (certificate is null)
        {
            return new AuthContext(null, properties);
        }

        foreach (X509SubjectAlternativeNameExtension extension in
            certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>())
        {
            foreach (string name in extension.EnumerateDnsNames())
            {
                Add(properties, AlternativeName, name);
            }
        }

        Add(properties, CommonName, certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false));
        return new AuthContext(properties.ContainsKey(AlternativeName) ? AlternativeName : CommonName, properties);
    }

    private static void Add(Dictionary<string, List<AuthProperty>> properties, string name, string value)
    {
        if (!properties.TryGetValue(name, out List<AuthProperty>? values))
        {
            properties[name] = values = [];
        }

        values.Add(AuthProperty.Create(name, Encoding.UTF8.GetBytes(value)));
    }
}
