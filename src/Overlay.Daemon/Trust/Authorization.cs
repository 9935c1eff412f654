using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>Middleware of the manager API: lets a call pass by its method and the caller's certificate, or answers for it.</summary>
internal sealed class Authorization(RequestDelegate next, RefusalLog refusals, TimeProvider time)
{
    private const int LongestShown = 128;

    public Task InvokeAsync(HttpContext context)
    {
        string method = context.Request.Path.Value ?? "";
        MethodPolicy.Access access = MethodPolicy.Of(method);
        X509Certificate2? certificate = context.Connection.ClientCertificate;
        PeerPrincipal? principal = certificate is not null && PeerPrincipal.TryParse(certificate, out PeerPrincipal? parsed) ? parsed : null;
        bool expired = certificate is not null && certificate.NotAfter < time.GetUtcNow().LocalDateTime
            && access != MethodPolicy.Access.Anyone && !MethodPolicy.ServesExpired(method);
        if (!expired && MethodPolicy.Allows(access, principal?.Role ?? NodeRole.Unspecified))
        {
            context.Features.Set(principal);
            return next(context);
        }

        (StatusCode code, string reason) = access == MethodPolicy.Access.Nobody
            ? (StatusCode.Unimplemented, "there is no such method")
            : expired
                ? (StatusCode.Unauthenticated, "the certificate has expired")
            : principal is null
                ? (StatusCode.Unauthenticated, "a certificate of this cluster is needed")
                : (StatusCode.PermissionDenied, $"a {principal.Role.ToString().ToLowerInvariant()} may not call it");
        refusals.CallRefused(
            new System.Net.IPEndPoint(context.Connection.RemoteIpAddress ?? System.Net.IPAddress.None, context.Connection.RemotePort),
            Shown(method), reason);
        TrailersOnly.Write(context.Response, new(new(code, reason)));
        return Task.CompletedTask;
    }

    /// <summary>A path is the caller's text: bounded, and without what would begin a line of its own in a log.</summary>
    private static string Shown(string method) => string.Create(
        Math.Min(method.Length, LongestShown), method,
        static (shown, text) =>
        {
            for (int i = 0; i < shown.Length; i++)
            {
                shown[i] = text[i] is > ' ' and <= '~' ? text[i] : '?';
            }
        });
}
