using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>Why an endpoint is not programmed.</summary>
/// <param name="SandboxGone">Its namespace does not exist (any more).</param>
public sealed record EndpointFailure(EndpointId Endpoint, string Error, bool SandboxGone);
