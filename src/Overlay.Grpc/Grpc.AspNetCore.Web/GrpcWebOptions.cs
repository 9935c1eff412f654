namespace Grpc.AspNetCore.Web;

/// <summary>Whether calls of gRPC-Web are served.</summary>
public class GrpcWebOptions
{
    /// <summary>For every service; it cannot be chosen for each here.</summary>
    public bool DefaultEnabled { get; set; }
}
