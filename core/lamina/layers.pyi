# Written by registry/scripts/stubs.py.
from typing import Any

from lamina.engine.input_layer import Input as Input
from lamina.engine.input_layer import InputLayer as InputLayer
from lamina.engine.layer import InputSpec as InputSpec
from lamina.engine.layer import Layer as Layer
from lamina.engine.model import Model as Model
from lamina.engine.sequential import Sequential as Sequential
from lamina_activations.elu import ELU as ELU
from lamina_activations.leaky_relu import LeakyReLU as LeakyReLU
from lamina_activations.prelu import PReLU as PReLU
from lamina_activations.relu import ReLU as ReLU
from lamina_activations.softmax import Softmax as Softmax
from lamina_activations.thresholded_relu import ThresholdedReLU as ThresholdedReLU
from lamina_basic.activation import Activation as Activation
from lamina_basic.activity_regularization import ActivityRegularization as ActivityRegularization
from lamina_basic.dense import Dense as Dense
from lamina_basic.dropout import Dropout as Dropout
from lamina_basic.dropout import SpatialDropout1D as SpatialDropout1D
from lamina_basic.dropout import SpatialDropout2D as SpatialDropout2D
from lamina_basic.dropout import SpatialDropout3D as SpatialDropout3D
from lamina_basic.lambda_layer import Lambda as Lambda
from lamina_basic.masking import Masking as Masking
from lamina_basic.reshape import Flatten as Flatten
from lamina_basic.reshape import Permute as Permute
from lamina_basic.reshape import RepeatVector as RepeatVector
from lamina_basic.reshape import Reshape as Reshape
from lamina_conv.conv1d import Conv1D as Conv1D
from lamina_conv.conv2d import Conv2D as Conv2D
from lamina_conv.conv2d_transpose import Conv2DTranspose as Conv2DTranspose
from lamina_conv.conv3d import Conv3D as Conv3D
from lamina_conv.conv3d_transpose import Conv3DTranspose as Conv3DTranspose
from lamina_conv.cropping import Cropping1D as Cropping1D
from lamina_conv.cropping import Cropping2D as Cropping2D
from lamina_conv.cropping import Cropping3D as Cropping3D
from lamina_conv.depthwise_conv2d import DepthwiseConv2D as DepthwiseConv2D
from lamina_conv.separable_conv1d import SeparableConv1D as SeparableConv1D
from lamina_conv.separable_conv2d import SeparableConv2D as SeparableConv2D
from lamina_conv.upsampling import UpSampling1D as UpSampling1D
from lamina_conv.upsampling import UpSampling2D as UpSampling2D
from lamina_conv.upsampling import UpSampling3D as UpSampling3D
from lamina_conv.zero_padding import ZeroPadding1D as ZeroPadding1D
from lamina_conv.zero_padding import ZeroPadding2D as ZeroPadding2D
from lamina_conv.zero_padding import ZeroPadding3D as ZeroPadding3D
from lamina_convlstm.conv_lstm2d import ConvLSTM2D as ConvLSTM2D
from lamina_convlstm.conv_lstm2d import ConvLSTM2DCell as ConvLSTM2DCell
from lamina_embeddings.embedding import Embedding as Embedding
from lamina_local.locally_connected import LocallyConnected1D as LocallyConnected1D
from lamina_local.locally_connected import LocallyConnected2D as LocallyConnected2D
from lamina_merge.base import Merge as Merge
from lamina_merge.concatenate import Concatenate as Concatenate
from lamina_merge.concatenate import concatenate as concatenate
from lamina_merge.dot import Dot as Dot
from lamina_merge.dot import dot as dot
from lamina_merge.elementwise import Add as Add
from lamina_merge.elementwise import Average as Average
from lamina_merge.elementwise import Maximum as Maximum
from lamina_merge.elementwise import Minimum as Minimum
from lamina_merge.elementwise import Multiply as Multiply
from lamina_merge.elementwise import Subtract as Subtract
from lamina_merge.elementwise import add as add
from lamina_merge.elementwise import average as average
from lamina_merge.elementwise import maximum as maximum
from lamina_merge.elementwise import minimum as minimum
from lamina_merge.elementwise import multiply as multiply
from lamina_merge.elementwise import subtract as subtract
from lamina_noise.noise import AlphaDropout as AlphaDropout
from lamina_noise.noise import GaussianDropout as GaussianDropout
from lamina_noise.noise import GaussianNoise as GaussianNoise
from lamina_normalization.batch_normalization import BatchNormalization as BatchNormalization
from lamina_pooling.average_pooling import AveragePooling1D as AveragePooling1D
from lamina_pooling.average_pooling import AveragePooling2D as AveragePooling2D
from lamina_pooling.average_pooling import AveragePooling3D as AveragePooling3D
from lamina_pooling.global_average_pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from lamina_pooling.global_average_pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from lamina_pooling.global_average_pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from lamina_pooling.global_max_pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from lamina_pooling.global_max_pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from lamina_pooling.global_max_pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from lamina_pooling.max_pooling import MaxPooling1D as MaxPooling1D
from lamina_pooling.max_pooling import MaxPooling2D as MaxPooling2D
from lamina_pooling.max_pooling import MaxPooling3D as MaxPooling3D
from lamina_recurrent.cudnn import CuDNNGRU as CuDNNGRU
from lamina_recurrent.cudnn import CuDNNLSTM as CuDNNLSTM
from lamina_recurrent.gru import GRU as GRU
from lamina_recurrent.gru import GRUCell as GRUCell
from lamina_recurrent.lstm import LSTM as LSTM
from lamina_recurrent.lstm import LSTMCell as LSTMCell
from lamina_recurrent.rnn import RNN as RNN
from lamina_recurrent.simple_rnn import SimpleRNN as SimpleRNN
from lamina_recurrent.simple_rnn import SimpleRNNCell as SimpleRNNCell
from lamina_recurrent.stacked import StackedRNNCells as StackedRNNCells
from lamina_wrappers.bidirectional import Bidirectional as Bidirectional
from lamina_wrappers.time_distributed import TimeDistributed as TimeDistributed
from lamina_wrappers.wrapper import Wrapper as Wrapper

AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
Convolution3D = Conv3D
Deconv2D = Conv2DTranspose
Deconv3D = Conv3DTranspose
Deconvolution2D = Conv2DTranspose
Deconvolution3D = Conv3DTranspose
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
_Merge = Merge

def serialize(obj: Any) -> Any: ...
def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any: ...
def __getattr__(name: str) -> Any: ...
