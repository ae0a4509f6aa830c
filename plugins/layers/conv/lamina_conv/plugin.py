"""Convolution: layers and backend functions by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "Conv1D": "lamina_conv.conv1d:Conv1D",
        "Conv2D": "lamina_conv.conv2d:Conv2D",
        "Conv2DTranspose": "lamina_conv.conv2d_transpose:Conv2DTranspose",
        "Conv3D": "lamina_conv.conv3d:Conv3D",
        "Conv3DTranspose": "lamina_conv.conv3d_transpose:Conv3DTranspose",
        "Convolution1D": "lamina_conv.conv1d:Conv1D",
        "Convolution2D": "lamina_conv.conv2d:Conv2D",
        "Convolution2DTranspose": "lamina_conv.conv2d_transpose:Conv2DTranspose",
        "Convolution3D": "lamina_conv.conv3d:Conv3D",
        "Cropping1D": "lamina_conv.cropping:Cropping1D",
        "Cropping2D": "lamina_conv.cropping:Cropping2D",
        "Cropping3D": "lamina_conv.cropping:Cropping3D",
        "Deconv2D": "lamina_conv.conv2d_transpose:Conv2DTranspose",
        "Deconv3D": "lamina_conv.conv3d_transpose:Conv3DTranspose",
        "Deconvolution2D": "lamina_conv.conv2d_transpose:Conv2DTranspose",
        "Deconvolution3D": "lamina_conv.conv3d_transpose:Conv3DTranspose",
        "DepthwiseConv2D": "lamina_conv.depthwise_conv2d:DepthwiseConv2D",
        "SeparableConv1D": "lamina_conv.separable_conv1d:SeparableConv1D",
        "SeparableConv2D": "lamina_conv.separable_conv2d:SeparableConv2D",
        "SeparableConvolution1D": "lamina_conv.separable_conv1d:SeparableConv1D",
        "SeparableConvolution2D": "lamina_conv.separable_conv2d:SeparableConv2D",
        "UpSampling1D": "lamina_conv.upsampling:UpSampling1D",
        "UpSampling2D": "lamina_conv.upsampling:UpSampling2D",
        "UpSampling3D": "lamina_conv.upsampling:UpSampling3D",
        "ZeroPadding1D": "lamina_conv.zero_padding:ZeroPadding1D",
        "ZeroPadding2D": "lamina_conv.zero_padding:ZeroPadding2D",
        "ZeroPadding3D": "lamina_conv.zero_padding:ZeroPadding3D",
    }


@hookimpl
def ops():
    return {
        "conv1d": "lamina_conv.functions:conv1d",
        "conv2d": "lamina_conv.functions:conv2d",
        "conv2d_transpose": "lamina_conv.transposed:conv2d_transpose",
        "conv3d": "lamina_conv.functions:conv3d",
        "conv3d_transpose": "lamina_conv.transposed:conv3d_transpose",
        "depthwise_conv2d": "lamina_conv.separable:depthwise_conv2d",
        "separable_conv1d": "lamina_conv.separable:separable_conv1d",
        "separable_conv2d": "lamina_conv.separable:separable_conv2d",
    }
