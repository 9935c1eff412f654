namespace Grpc.Core;

/// <summary>A method's name and kind, without its message types.</summary>
public interface IMethod
{
    MethodType Type { get; }

    string ServiceName { get; }

    string Name { get; }

    /// <summary>The path of the request: <c>/package.Service/Method</c>.</summary>
    string FullName { get; }
}
